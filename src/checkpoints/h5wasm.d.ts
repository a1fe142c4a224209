// What is used of the package h5wasm, which users install where they need it.
declare module "h5wasm" {
  export interface Dataset {
    readonly shape: readonly number[] | null;
    readonly dtype: unknown;
    readonly value: unknown;
  }
  export interface Group {
    keys(): readonly string[];
    get(path: string): (Group & Dataset & { readonly type: string }) | null;
    readonly attrs: Readonly<Record<string, { readonly value: unknown } | undefined>>;
    create_group(name: string): Group;
    create_dataset(dataset: { name: string; data: ArrayBufferView; shape: readonly number[] }): unknown;
  }
  export const ready: Promise<{
    readonly FS: {
      writeFile(path: string, bytes: Uint8Array): void;
      readFile(path: string): Uint8Array;
      unlink(path: string): void;
    };
    /** Errors are thrown between these two. Else they are printed. */
    activate_throwing_error_handler(): unknown;
    deactivate_throwing_error_handler(): unknown;
  }>;
  export const File: new (path: string, mode: "r" | "w") => Group & { close(): unknown };
}
