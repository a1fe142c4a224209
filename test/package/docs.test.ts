// The pages: every link of one leads to something that is in the tarball, so that npm's copy is whole.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../support/package-copy.js";

const guides = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
const pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ...guides.map((name) => `docs/${name}`)];

function textOf(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/** What a heading is linked by, as GitHub and npm make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/ /g, "-");
}

/** Headings outside code. */
function anchorsOf(page: string): string[] {
  const prose = textOf(page).replace(/^```[^]*?^```/gm, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
}

const printed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
  cwd: root,
  encoding: "utf8",
});
const [{ files }] = JSON.parse(printed) as [{ files: readonly { readonly path: string }[] }];
const packed = new Set(files.map(({ path }) => path));

describe("links", () => {
  test.each(pages)("%s", (page) => {
    expect(packed).toContain(page);
    for (const [, link] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link!.startsWith("https://")) continue;
      const [path, anchor] = link!.split("#") as [string, string?];
      const target = path === "" ? page : normalize(join(dirname(page), path));
      // The contract names the code that it describes.
      if (page !== "docs/contract.md") expect(packed, `${page}: ${link}`).toContain(target);
      if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${link}`).toContain(anchor);
    }
  });
});

test.each(["en", "ko"])("the code that the page on batch normalization names is there: %s", (language) => {
  const text = textOf(`docs/batch-normalization${language === "ko" ? ".ko" : ""}.md`);
  const english = [...text.matchAll(/`(\w+)` in `([\w/.]+)`/g)].map(([, name, file]) => ({ name: name!, file: file! }));
  const korean = [...text.matchAll(/`([\w/.]+)`의 `(\w+)`/g)].map(([, file, name]) => ({ name: name!, file: file! }));
  const named = [...english, ...korean];
  expect(named).toHaveLength(3);
  for (const { name, file } of named) expect(textOf(file)).toContain(`export function ${name}(`);
  const specification = textOf("test/contract/specification.ts");
  for (const name of ["moments", "forward", "affineOf", "normalize", "gradSums", "backward"])
    expect(specification).toContain(`function ${name}(`);
});

test("the README fits a few screens, and leads to every page", () => {
  const readme = textOf("README.md");
  expect(readme.split("\n").length - 1).toBeLessThanOrEqual(150);
  for (const guide of guides) expect(readme).toContain(`(docs/${guide}`);
});

test("the README's table of speed is the first one of docs/peers.md", () => {
  const [, table] = /## Summary[^\n]*\n\n((?:\|.*\n)+)/.exec(textOf("docs/peers.md"))!;
  expect(textOf("README.md")).toContain(table);
});
