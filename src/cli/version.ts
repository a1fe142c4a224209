/** Put in by scripts/build/bundle.mjs: the command runs without permission to read files too. */
declare const PACKAGE_VERSION: string;

export const packageVersion = PACKAGE_VERSION;
