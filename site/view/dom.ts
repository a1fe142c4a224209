// The page's elements, its words and its numbers.
import { en, type Words } from "../words/en.js";
import { ko } from "../words/ko.js";

export const LANGUAGES = { en, ko } as const;
export type Language = keyof typeof LANGUAGES;

/** The words of the chosen language. */
export let words: Words = en;

export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} "${id}"`);
  return found;
}

export const text = (id: string, value: string): void => {
  const element = byId(id, HTMLElement);
  if (element.textContent !== value) element.textContent = value;
};

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function fillTable(id: string, head: readonly Node[], rows: readonly (readonly Node[])[]): void {
  const body = rows.map((cells) => make("tr", {}, cells));
  byId(id, HTMLTableElement).replaceChildren(make("thead", {}, [make("tr", {}, head)]), make("tbody", {}, body));
}

/** A cell of a table; a name of a row or a column is a heading. */
export function cell(textContent: string, scope: "" | "row" | "col" = "", className = ""): HTMLTableCellElement {
  return scope === "" ? make("td", { textContent, className }) : make("th", { textContent, className, scope });
}

export const button = (id: string, action: () => void): void => {
  byId(id, HTMLButtonElement).addEventListener("click", action);
};

/** The plain words, by their keys in the HTML. */
function wordOf(key: string | undefined): string {
  const found = Object.entries(words).find(([name]) => name === key)?.[1];
  if (typeof found !== "string") throw new Error(`no words for "${key}"`);
  return found;
}

export function speak(language: Language): void {
  words = LANGUAGES[language];
  document.documentElement.lang = language;
  document.title = words.title;
  document.querySelectorAll<HTMLElement>("[data-word]").forEach((element) => {
    element.textContent = wordOf(element.dataset["word"]);
  });
  document.querySelectorAll("[data-label]").forEach((element) => {
    element.setAttribute("aria-label", wordOf(element.getAttribute("data-label") ?? undefined));
  });
  document.querySelectorAll<HTMLElement>("[data-language]").forEach((element) => {
    element.setAttribute("aria-pressed", String(element.dataset["language"] === language));
  });
}

/** A number in a few digits, with a true minus sign, all of one width as far as they can be. */
export function number(value: number): string {
  if (Number.isNaN(value) || value === 0) return String(Math.abs(value));
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const written = size < 0.001 || size >= 100_000 ? value.toExponential(2) : value.toFixed(size < 10 ? 4 : 1);
  return written.replace(/-/g, "−");
}

export function percent(share: number): string {
  return (100 * share).toFixed(1) + words.percentSign;
}

/** The value of a colour or another property of the style sheet. */
export function style(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
