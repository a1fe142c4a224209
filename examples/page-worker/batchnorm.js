// Where the package is. A worker does not know the import map of its page, so without a bundler this is a path. With a bundler
// it can be "batchnorm".
export { BatchNorm, createArena, warmUp } from "./node_modules/batchnorm/dist/browser.js";
