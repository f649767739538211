// Letters of five by five blocks: read from across a room. Pure.

/** Rows of five bits, the highest on the left. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  A: [14, 17, 31, 17, 17],
  B: [30, 17, 30, 17, 30],
  C: [15, 16, 16, 16, 15],
  D: [30, 17, 17, 17, 30],
  E: [31, 16, 30, 16, 31],
  F: [31, 16, 30, 16, 16],
  G: [15, 16, 19, 17, 15],
  H: [17, 17, 31, 17, 17],
  I: [31, 4, 4, 4, 31],
  K: [17, 18, 28, 18, 17],
  L: [16, 16, 16, 16, 31],
  M: [17, 27, 21, 17, 17],
  N: [17, 25, 21, 19, 17],
  O: [14, 17, 17, 17, 14],
  P: [30, 17, 30, 16, 16],
  R: [30, 17, 30, 18, 17],
  S: [15, 16, 14, 1, 30],
  T: [31, 4, 4, 4, 4],
  U: [17, 17, 17, 17, 14],
  V: [17, 17, 17, 10, 4],
  W: [17, 17, 21, 27, 17],
  Y: [17, 10, 4, 4, 4],
  0: [14, 19, 21, 25, 14],
  1: [4, 12, 4, 4, 14],
  2: [30, 1, 14, 16, 31],
  3: [30, 1, 14, 1, 30],
  4: [18, 18, 31, 2, 2],
  5: [31, 16, 30, 1, 30],
  6: [14, 16, 30, 17, 14],
  7: [31, 1, 2, 4, 4],
  8: [14, 17, 14, 17, 14],
  9: [14, 17, 15, 1, 14],
};
const ROWS = 5;
const COLUMNS = 5;
const GAP_COLUMNS = 2;
const BLANK: readonly number[] = [0, 0, 0, 0, 0];

/** Five lines of blocks and spaces, each block two columns wide where that fits. What has no glyph is a blank. */
export function bigText(text: string, columns: number): readonly string[] {
  const glyphs = text
    .toUpperCase()
    .split('')
    .map((letter) => GLYPHS[letter] ?? BLANK);
  const isWide = glyphs.length * (2 * COLUMNS + GAP_COLUMNS) - GAP_COLUMNS <= columns;
  const [block, blank] = isWide ? ['██', '  '] : ['█', ' '];
  const rowOf = (bits: number): string =>
    Array.from({ length: COLUMNS }, (_, bit) => (((bits >> (COLUMNS - 1 - bit)) & 1) === 1 ? block : blank)).join('');
  return Array.from({ length: ROWS }, (_, row) =>
    glyphs
      .map((glyph) => rowOf(glyph[row] ?? 0))
      .join(' '.repeat(GAP_COLUMNS))
      .trimEnd(),
  );
}
