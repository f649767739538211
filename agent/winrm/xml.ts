// A small reader of XML 1.0 with namespaces, for answers that nobody vouches for: no DTD, no entities but the five that XML
// defines itself, no processing instructions, bounded depth and size. Pure.
import { AgentError } from '../errors/agent-error.ts';

export interface XmlElement {
  readonly namespace: string;
  /** Without prefix. */
  readonly name: string;
  /** Without prefix; attributes of other namespaces are left out, except `xml:lang` and `xsi:nil` by their local name. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own character data, in one piece. */
  readonly text: string;
}

/** SOAP nests about ten deep, CLIXML objects some more. */
const MAX_DEPTH = 64;
/** More than any answer of one envelope holds. */
const MAX_ELEMENTS = 200_000;
/** Prefixes in force at one place. An envelope uses some fifteen; each declaration costs a copy of all that are in force. */
const MAX_NAMESPACES = 128;
/** The one that XML itself declares. */
const OUTERMOST: ReadonlyMap<string, string> = new Map([['xml', 'http://www.w3.org/XML/1998/namespace']]);

const NAME = /[A-Za-z_\u0080-\uffff][\w.\-\u0080-\uffff]*(?::[A-Za-z_\u0080-\uffff][\w.\-\u0080-\uffff]*)?/y;
const SPACE = /[ \t\r\n]*/y;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

interface OpenElement {
  readonly tag: string;
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Map<string, string>;
  readonly children: XmlElement[];
  readonly text: string[];
  readonly scope: ReadonlyMap<string, string>;
}

/** The root element of a document. Throws `winrm_answer_invalid`. */
export function readXml(document: string): XmlElement {
  return new Reader(document).read();
}

class Reader {
  readonly #text: string;
  #at = 0;
  #elements = 0;

  constructor(text: string) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  read(): XmlElement {
    if (/^<\?xml[ \t\r\n]/.test(this.#text)) this.#at = this.#find('?>', 2) + 2;
    this.#skipMisc();
    const stack: OpenElement[] = [];
    for (;;) {
      if (this.#text.startsWith('</', this.#at)) {
        const closed = this.#close(stack.pop());
        const parent = stack.at(-1);
        if (parent === undefined) return this.#end(closed);
        parent.children.push(closed);
      } else if (this.#text[this.#at] === '<') {
        const whole = this.#markup(stack);
        if (whole !== null && stack.length === 0) return this.#end(whole);
        if (whole !== null) stack.at(-1)!.children.push(whole);
      } else this.#characters(stack.at(-1));
    }
  }

  /** A start tag, comment or CDATA section. An element without content comes back at once. */
  #markup(stack: OpenElement[]): XmlElement | null {
    if (this.#text.startsWith('<!--', this.#at)) {
      this.#at = this.#find('-->', 4) + 3;
      return null;
    }
    if (this.#text.startsWith('<![CDATA[', this.#at)) {
      const open = stack.at(-1);
      const end = this.#find(']]>', 9);
      if (open === undefined) throw this.#bad('text outside of the root element');
      open.text.push(this.#text.slice(this.#at + 9, end));
      this.#at = end + 3;
      return null;
    }
    const next = this.#text[this.#at + 1];
    if (next === '!') throw this.#bad('a document type or entity declaration');
    if (next === '?') throw this.#bad('a processing instruction');
    return this.#open(stack);
  }

  #open(stack: OpenElement[]): XmlElement | null {
    this.#elements += 1;
    if (this.#elements > MAX_ELEMENTS) throw this.#bad('too many elements');
    if (stack.length >= MAX_DEPTH) throw this.#bad('elements nested too deep');
    this.#at += 1;
    const tag = this.#name();
    const raw = this.#attributes();
    const scope = this.#scope(raw, stack.at(-1)?.scope ?? OUTERMOST);
    const attributes = new Map<string, string>();
    for (const [name, value] of raw) {
      if (name === 'xmlns' || name.startsWith('xmlns:')) continue;
      const colon = name.indexOf(':');
      if (colon >= 0 && !scope.has(name.slice(0, colon))) throw this.#bad('a prefix without a namespace');
      const local = name.slice(colon + 1);
      if (colon < 0 || local === 'lang' || local === 'nil') attributes.set(local, value);
    }
    const { namespace, name } = this.#resolve(tag, scope);
    const element: OpenElement = { tag, namespace, name, attributes, children: [], text: [], scope };
    if (this.#text.startsWith('/>', this.#at)) {
      this.#at += 2;
      return finished(element);
    }
    this.#expect('>');
    stack.push(element);
    return null;
  }

  /** Shared with the element around it where nothing is declared: most elements declare nothing. */
  #scope(raw: ReadonlyMap<string, string>, outer: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const declared = [...raw].filter(([name]) => name === 'xmlns' || name.startsWith('xmlns:'));
    if (declared.length === 0) return outer;
    const scope = new Map(outer);
    for (const [name, value] of declared) scope.set(name.slice('xmlns:'.length), value);
    if (scope.size > MAX_NAMESPACES) throw this.#bad('too many namespaces');
    return scope;
  }

  #attributes(): Map<string, string> {
    const found = new Map<string, string>();
    for (;;) {
      const before = this.#at;
      this.#skipSpace();
      const next = this.#text[this.#at];
      if (next === '>' || next === '/' || next === undefined) return found;
      if (before === this.#at) throw this.#bad('an attribute without a space before it');
      const name = this.#name();
      this.#skipSpace();
      this.#expect('=');
      this.#skipSpace();
      const quote = this.#text[this.#at];
      if (quote !== '"' && quote !== "'") throw this.#bad('an attribute without quotes');
      const end = this.#find(quote, 1);
      const value = this.#text.slice(this.#at + 1, end);
      if (value.includes('<') || found.has(name)) throw this.#bad('a broken or repeated attribute');
      found.set(name, this.#decode(value));
      this.#at = end + 1;
    }
  }

  #close(open: OpenElement | undefined): XmlElement {
    this.#at += 2;
    const tag = this.#name();
    if (open === undefined || open.tag !== tag) throw this.#bad('an end tag that does not fit');
    this.#skipSpace();
    this.#expect('>');
    return finished(open);
  }

  #characters(open: OpenElement | undefined): void {
    const next = this.#text.indexOf('<', this.#at);
    if (next < 0 || open === undefined)
      throw this.#bad('a document that is cut off, or text outside of the root element');
    open.text.push(this.#decode(this.#text.slice(this.#at, next)));
    this.#at = next;
  }

  #end(root: XmlElement): XmlElement {
    this.#skipMisc();
    if (this.#at !== this.#text.length) throw this.#bad('something behind the root element');
    return root;
  }

  #skipMisc(): void {
    for (;;) {
      this.#skipSpace();
      if (!this.#text.startsWith('<!--', this.#at)) return;
      this.#at = this.#find('-->', 4) + 3;
    }
  }

  #resolve(tag: string, scope: ReadonlyMap<string, string>): { namespace: string; name: string } {
    const colon = tag.indexOf(':');
    const namespace = scope.get(colon < 0 ? '' : tag.slice(0, colon));
    if (colon >= 0 && namespace === undefined) throw this.#bad('a prefix without a namespace');
    return { namespace: namespace ?? '', name: tag.slice(colon + 1) };
  }

  #decode(text: string): string {
    if (!text.includes('&')) return text;
    return text.replace(/&([^;&]{0,16})(;?)/g, (_, body: string, semicolon: string) => {
      const known = semicolon === ';' ? (ENTITIES[body] ?? characterOf(body)) : null;
      if (known === null) throw this.#bad('an entity that XML does not define');
      return known;
    });
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const found = NAME.exec(this.#text);
    if (found === null) throw this.#bad('a name that is none');
    this.#at += found[0].length;
    return found[0];
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw this.#bad('a broken tag');
    this.#at += 1;
  }

  #find(what: string, after: number): number {
    const found = this.#text.indexOf(what, this.#at + after);
    if (found < 0) throw this.#bad('a document that is cut off');
    return found;
  }

  #bad(what: string): AgentError {
    return new AgentError('winrm_answer_invalid', `XML that is not accepted: ${what}`, {
      place: `character ${this.#at}`,
    });
  }
}

function finished({ namespace, name, attributes, children, text }: OpenElement): XmlElement {
  return { namespace, name, attributes, children, text: text.join('') };
}

/** A numeric character reference to a character that XML 1.0 allows. */
function characterOf(body: string): string | null {
  const found = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(body);
  if (found === null) return null;
  const point = found[1] === undefined ? Number(found[2]) : Number.parseInt(found[1], 16);
  const allowed =
    point === 0x9 ||
    point === 0xa ||
    point === 0xd ||
    (point >= 0x20 && point <= 0xd7ff) ||
    (point >= 0xe000 && point <= 0xfffd) ||
    (point >= 0x10000 && point <= 0x10ffff);
  return allowed ? String.fromCodePoint(point) : null;
}

/** False for text with characters that XML 1.0 cannot carry, not even as references. */
export function fitsXml(text: string): boolean {
  if (!text.isWellFormed()) return false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    const control = unit < 0x20 && unit !== 0x9 && unit !== 0xa && unit !== 0xd;
    if (control || unit === 0xfffe || unit === 0xffff) return false;
  }
  return true;
}

/** Text for element content and double-quoted attributes. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}

/** The one child of this name, or undefined. */
export function childOf(element: XmlElement | undefined, namespace: string, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.namespace === namespace && child.name === name);
}
