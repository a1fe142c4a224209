// The entry of edge workers that refuse to compile at run time: they take the module from a static import.
import module from "./batchnorm.wasm";
import { provideModule } from "./wasm.js";

provideModule(module);

export * from "./index.js";
