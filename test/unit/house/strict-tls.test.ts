import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const AGENT = join(import.meta.dirname, '../../../agent');
const LOOK = 'cli/doctor/look-at-certificate.ts';
const sources = readdirSync(AGENT, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(AGENT, path), 'utf8') }));
const pathsWith = (pattern: RegExp): string[] =>
  sources.filter(({ text }) => pattern.test(text)).map((one) => one.path);

describe('certificates that do not verify', () => {
  it('are let through a handshake in one file of the agent alone, which only looks at them', () => {
    expect(pathsWith(/rejectUnauthorized\s*:(?!\s*true\b)/)).toEqual([LOOK]);
    const { text } = sources.find((one) => one.path === LOOK)!;
    // It reads no data, writes none, and shows no certificate of its own.
    expect(text).not.toMatch(/\.write\(|\.end\(|\.on\('data'|\bcert:|\bkey:|secureContext/);
  });

  it('are looked at by the doctor and by nothing else', () => {
    expect(pathsWith(/import \{[^}]*\} from '[^']*look-at-certificate\.ts'/)).toEqual(['cli/doctor/steps.ts']);
  });
});
