// Made-up identifiers of people: the eighteen kinds that 45 CFR 164.514(b)(2)(i) lists, each in the forms in which they are
// met. The same seed makes the same ones.
import { seededRandom } from './acknowledgements.ts';

export interface Identifier {
  readonly kind: string;
  /** As a tool, a file name or a careless message would hold it. */
  readonly text: string;
  /** Parts that give it away even alone; each is found nowhere else. */
  readonly tells: readonly string[];
  /** A bare number or lower-case words: inside a sentence nobody can tell it from what our own sentences hold. */
  readonly plain: boolean;
}

/** Each kind in each form so often. */
const PER_FORM = 16;

const FIRST = ['quorra', 'zebulon', 'ottoline', 'thaddeus', 'philippa', 'ximena', 'bartholomew', 'wilhelmina'];
const LAST = [
  'vanterpool',
  'oyelaran',
  'szczepanska',
  'macgillicuddy',
  'featherstonehaugh',
  'quillfeather',
  'zapatero',
];
const STREETS = ['Kestrelmoor', 'Thistledown', 'Wolfsbane', 'Larkspurhill'];
const TOWNS = ['Pumpernickelton', 'Zyzzyxville', 'Oologahburg'];

const LETTERS = 'ABCDEFGHJKLMNPRSTUVWXYZ'.split('');
const HEX = '0123456789abcdef'.split('');

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

export function identifiers(seed: number): Identifier[] {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const one = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const digits = (n: number): string =>
    Array.from({ length: n }, (_, i) => (i === 0 ? 1 + below(9) : below(10))).join('');
  const letters = (n: number): string => Array.from({ length: n }, () => one(LETTERS)).join('');
  const hex = (n: number): string => Array.from({ length: n }, () => one(HEX)).join('');
  const person = (): { first: string; last: string } => ({ first: one(FIRST), last: one(LAST) });
  const two = (n: number): string => String(n).padStart(2, '0');
  const birth = (): { y: string; m: string; d: string } => ({
    y: String(1920 + below(80)),
    m: two(1 + below(12)),
    d: two(1 + below(28)),
  });
  const octet = (): number => 11 + below(200);
  const phone = (): [string, string, string] => [
    `${2 + below(7)}${digits(2)}`,
    `${2 + below(7)}${digits(2)}`,
    digits(4),
  ];

  type Made = string | { readonly text: string; readonly tells: readonly string[] };
  const named = (form: (first: string, last: string) => string) => (): Made => {
    const { first, last } = person();
    const text = form(first, last);
    return {
      text,
      tells: [first, last, capital(first), capital(last), last.toUpperCase()].filter((t) => text.includes(t)),
    };
  };
  const dated = (form: (y: string, m: string, d: string) => string) => (): Made => {
    const { y, m, d } = birth();
    return form(y, m, d);
  };
  const dialled = (form: (a: string, b: string, c: string) => string) => (): Made => form(...phone());

  const forms: Readonly<Record<string, readonly (() => Made)[]>> = {
    name: [
      named((f, l) => `${capital(f)} ${capital(l)}`),
      named((f, l) => `${capital(l)}, ${capital(f)} Q.`),
      named((f, l) => `${l.toUpperCase()}^${f.toUpperCase()}^L`),
      named((f, l) => `${f}.${l}`),
      named((f, l) => `${f} ${l}`),
      named((f, l) => `${f}_${l}`),
      named((_f, l) => l),
      named((f, l) => `/home/${f.charAt(0)}${l}/chart.pdf`),
      named((f, l) => `C:\\Users\\${capital(f)}${capital(l)}\\scan.tif`),
    ],
    address: [
      () => {
        const street = one(STREETS);
        return { text: `${digits(4)} ${street} Ave Apt ${digits(2)}`, tells: [street] };
      },
      () => {
        const town = one(TOWNS);
        return { text: `${town}, IL ${digits(5)}-${digits(4)}`, tells: [town] };
      },
      () => `PO-Box-${digits(6)}`,
      () => `${digits(5)}-${digits(4)}`,
    ],
    date: [
      dated((y, m, d) => `${m}/${d}/${y}`),
      dated((y, m, d) => `${y}-${m}-${d}`),
      dated((y, m, d) => `${d}.${m}.${y}`),
      dated((y, m, d) => `${m}-${d}-${y}`),
      dated((y, m, d) => `${y}${m}${d}`),
    ],
    telephone: [
      dialled((a, b, c) => `(${a}) ${b}-${c}`),
      dialled((a, b, c) => `${a}-${b}-${c}`),
      dialled((a, b, c) => `${a}.${b}.${c}`),
      dialled((a, b, c) => `+1 ${a} ${b} ${c}`),
      dialled((a, b, c) => `${a}${b}${c}`),
    ],
    fax: [
      dialled((a, b, c) => `fax:${a}-${b}-${c}`),
      dialled((a, b, c) => `+1${a}${b}${c}`),
      dialled((a, b, c) => `F: (${a}) ${b} ${c}`),
    ],
    email: [
      named((f, l) => `${f}.${l}@clinic.example`),
      named((f, l) => `"${capital(f)} ${capital(l)}" <${f.charAt(0)}${l}@mail.example>`),
      named((_f, l) => `mailto:${l}+results@clinic.example`),
    ],
    ssn: [
      () => `${digits(3)}-${digits(2)}-${digits(4)}`,
      () => `${digits(3)} ${digits(2)} ${digits(4)}`,
      () => `SSN${digits(9)}`,
      () => digits(9),
    ],
    record_number: [
      () => `MRN ${digits(8)}`,
      () => `mrn-${digits(8)}`,
      () => `MRN:${digits(7)}`,
      () => `PAT${digits(9)}`,
      () => digits(10),
    ],
    plan_number: [
      () => `${letters(3)}${digits(9)}`,
      () => `1${letters(2)}${digits(1)}-${letters(2)}${digits(1)}-${letters(2)}${digits(2)}`,
      () => `H${digits(4)}-${digits(3)}-${letters(2)}`,
    ],
    account: [
      () => `ACCT-${digits(9)}`,
      () => `${digits(4)} ${digits(4)} ${digits(4)} ${digits(4)}`,
      () => `GB${digits(2)}WXYZ${digits(14)}`,
      () => digits(12),
    ],
    licence: [
      () => `${letters(1)}${digits(3)}-${digits(4)}-${digits(4)}`,
      () => `DEA ${letters(2)}${digits(7)}`,
      () => `NPI${digits(10)}`,
    ],
    vehicle: [
      () => `1HG${letters(2)}${digits(5)}${letters(1)}A${digits(5)}`,
      () => `${letters(3)}-${digits(4)}`,
      () => `VIN:WVW${letters(3)}${digits(2)}${letters(1)}W${digits(6)}`,
    ],
    device: [
      () => `S/N ${letters(4)}${digits(8)}`,
      () => `SN:${letters(2)}-${digits(7)}`,
      () => `(01)0${digits(13)}(21)${letters(2)}${digits(4)}`,
    ],
    url: [
      named((f, l) => `https://portal.example/patients/${f}-${l}`),
      () => `http://pacs.example/studies?id=${digits(10)}`,
      named((f, l) => `ftp://files.example/~${f.charAt(0)}${l}/`),
    ],
    ip: [
      () => `${octet()}.${octet()}.${octet()}.${octet()}`,
      () => `${octet()}.${octet()}.${octet()}.${octet()}:${digits(5)}`,
      () => `2001:db8:${hex(4)}:${hex(4)}::${hex(4)}`,
      () => `fe80::${hex(4)}:${hex(4)}:${hex(4)}:${hex(4)}%eth0`,
    ],
    biometric: [
      () => `FP:${letters(4)}${digits(6)}==`,
      () => `VOICEPRINT/${letters(6)}`,
      () => `iris_${letters(5)}${digits(5)}.tmpl`,
    ],
    photograph: [
      named((f, l) => `IMG_${capital(l)}_${capital(f)}.jpg`),
      () => `DSC0${digits(6)}.JPG`,
      named((_f, l) => `\\\\pacs\\photos\\${l}.png`),
    ],
    other_code: [
      () => `${letters(2)}:${letters(2)}:${digits(2)}:${letters(2)}`,
      () => [1, 2, 3, 4, 5, 6].map(() => `${one(['a', 'b', 'c', 'd', 'e', 'f'])}${below(10)}`).join(':'),
      () => `ACC#${digits(7)}`,
      () => `${letters(1)}-${digits(5)}-${letters(2)}`,
    ],
  };

  const made = Object.entries(forms).flatMap(([kind, list]) =>
    list.flatMap((form) =>
      Array.from({ length: PER_FORM }, (): Identifier => {
        const it = form();
        const { text, tells } = typeof it === 'string' ? { text: it, tells: [it] } : it;
        return { kind, text, tells, plain: /^(?:\+?[0-9]+|[a-z]+(?:[ _][a-z]+)*)$/.test(text) };
      }),
    ),
  );
  return [...new Map(made.map((identifier) => [identifier.text, identifier])).values()];
}

/** What of the identifiers is found in a text. */
export function leaksIn(text: string, list: readonly Identifier[]): string[] {
  return list.flatMap(({ kind, text: whole, tells }) =>
    tells.filter((tell) => text.includes(tell)).map((tell) => `${kind}: ${tell} (of ${whole})`),
  );
}
