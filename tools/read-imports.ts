// Every import of a TypeScript source, found in its tokens: static, side-effect, dynamic, type queries, re-exports, require.
import { SyntaxKind } from 'typescript/unstable/ast';
import { createScanner } from 'typescript/unstable/ast/scanner';

export interface FoundImport {
  /** The specifier as written; null where it is computed and cannot be resolved. */
  readonly specifier: string | null;
  /** 1-based. */
  readonly line: number;
}

interface Token {
  readonly kind: SyntaxKind;
  readonly text: string;
  readonly value: string;
  readonly start: number;
}

/** Keywords after which a `/` starts a regular expression and not a division. */
const OPERATOR_WORDS = new Set(
  'return typeof instanceof in of new delete void throw case do else await yield extends import export default'.split(
    ' ',
  ),
);
const CONDITION_WORDS = new Set(['if', 'while', 'for', 'with']);

/** True where an expression can have ended with `token`, so that a `/` after it divides. */
function endsExpression(token: Token | undefined, beforeToken: Token | undefined): boolean {
  if (token === undefined) return false;
  if (beforeToken?.text === '.' || beforeToken?.text === '?.') return true;
  if ([')', ']', '}', '++', '--'].includes(token.text)) return true;
  switch (token.kind) {
    case SyntaxKind.StringLiteral:
    case SyntaxKind.NumericLiteral:
    case SyntaxKind.BigIntLiteral:
    case SyntaxKind.RegularExpressionLiteral:
    case SyntaxKind.NoSubstitutionTemplateLiteral:
    case SyntaxKind.TemplateTail:
    case SyntaxKind.PrivateIdentifier:
      return true;
    default:
      return /^[\p{ID_Start}_$]/u.test(token.text) && !OPERATOR_WORDS.has(token.text);
  }
}

/** Tokens of `source` without trivia; templates and regular expressions are taken as what they are. */
function tokensOf(source: string): Token[] {
  const scanner = createScanner(true);
  scanner.setText(source);
  const tokens: Token[] = [];
  const templateDepths: number[] = [];
  /** For each open parenthesis: whether it belongs to `if (…)` and the like, after which an expression may start. */
  const conditions: boolean[] = [];
  let braces = 0;
  let afterCondition = false;
  for (;;) {
    let kind = scanner.scan();
    if (kind === SyntaxKind.EndOfFile) return tokens;
    const last = tokens.at(-1);
    if (
      (kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken) &&
      (afterCondition || !endsExpression(last, tokens.at(-2)))
    ) {
      kind = scanner.reScanSlashToken();
    }
    afterCondition = false;
    if (kind === SyntaxKind.OpenBraceToken) braces += 1;
    if (kind === SyntaxKind.CloseBraceToken) {
      if (templateDepths.at(-1) === braces) {
        kind = scanner.reScanTemplateToken(false);
        if (kind === SyntaxKind.TemplateTail) templateDepths.pop();
      } else braces -= 1;
    }
    if (kind === SyntaxKind.TemplateHead) templateDepths.push(braces);
    if (kind === SyntaxKind.OpenParenToken) conditions.push(last !== undefined && CONDITION_WORDS.has(last.text));
    if (kind === SyntaxKind.CloseParenToken) afterCondition = conditions.pop() ?? false;
    tokens.push({ kind, text: scanner.getTokenText(), value: scanner.getTokenValue(), start: scanner.getTokenStart() });
  }
}

const isText = (token: Token | undefined): boolean =>
  token?.kind === SyntaxKind.StringLiteral || token?.kind === SyntaxKind.NoSubstitutionTemplateLiteral;

/** Index of the token after the brace that closes the one at `open`. */
function afterBraces(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    if (tokens[at]?.text === '{') depth += 1;
    if (tokens[at]?.text === '}' && (depth -= 1) === 0) return at + 1;
  }
  return tokens.length;
}

/** Specifier token of the `from '…'` that ends the clause starting at `at`, or undefined. */
function fromClause(tokens: readonly Token[], at: number): Token | undefined {
  for (let index = at; index < tokens.length;) {
    const token = tokens[index];
    if (token === undefined || token.text === ';') return undefined;
    if (token.text === 'from' && isText(tokens[index + 1])) return tokens[index + 1];
    index = token.text === '{' ? afterBraces(tokens, index) : index + 1;
  }
  return undefined;
}

/** All imports of `source` in their order. A call with a computed specifier is reported as null: it escapes every law. */
export function readImports(source: string): FoundImport[] {
  const tokens = tokensOf(source);
  const found: FoundImport[] = [];
  const lineOf = (token: Token): number => source.slice(0, token.start).split('\n').length;
  const add = (at: Token, specifier: Token | undefined): void => {
    found.push({ specifier: isText(specifier) ? (specifier?.value ?? null) : null, line: lineOf(at) });
  };
  tokens.forEach((token, index) => {
    const previous = tokens[index - 1]?.text;
    const next = tokens[index + 1];
    if (previous === '.' || previous === '?.' || next === undefined || next.text === ':') return;
    if (token.kind === SyntaxKind.ImportKeyword) {
      if (next.text === '(') add(token, tokens[index + 3]?.text === '+' ? undefined : tokens[index + 2]);
      else if (isText(next)) add(token, next);
      else if (next.text !== '.') {
        const specifier = fromClause(tokens, index + 1);
        if (specifier !== undefined) add(token, specifier);
      }
    } else if (token.kind === SyntaxKind.ExportKeyword) {
      const clause = next.text === 'type' ? index + 2 : index + 1;
      const opens = tokens[clause]?.text;
      const from = opens === '{' ? afterBraces(tokens, clause) : clause;
      if (opens === '*' || (opens === '{' && tokens[from]?.text === 'from')) {
        const specifier = fromClause(tokens, from);
        if (specifier !== undefined) add(token, specifier);
      }
    } else if (token.text === 'require' && next.text === '(' && previous !== 'function') {
      add(token, tokens[index + 2]);
    }
  });
  return found;
}
