const CLEAR = "\r\u001b[K";

/** Shows a line that the next one replaces, where a person looks at stderr. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(CLEAR + text);
}

export function clearProgress(): void {
  showProgress("");
}
