// HTML out of values, with every value escaped: evidence holds text that others wrote. Pure.

/** Text that is HTML already. Only `html` makes it. */
export interface Html {
  readonly html: string;
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

const isHtml = (part: Part): part is Html => typeof part === 'object' && part !== null && 'html' in part;

/** Markup, control and direction characters spelled out, so that no value can change how the page reads. */
export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;')
    .replace(
      // oxlint-disable-next-line no-control-regex
      /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

function textOf(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (isHtml(part)) return part.html;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escapeHtml(String(part));
}

/** Template tag: what stands between is escaped unless it is Html itself; lists are joined, nothing is left out. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, i) => text + (i < parts.length ? textOf(parts[i]) : '')).join('') };
}
