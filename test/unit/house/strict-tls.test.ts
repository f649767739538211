import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const AGENT = join(import.meta.dirname, '../../../agent');
const LOOK = 'cli/doctor/look-at-certificate.ts';
/** Verifies chain, purpose, name and pin itself where the wall clock cannot judge dates. */
const JUDGED = 'https/judged-dates.ts';
/** Asks a port whether it speaks TLS at all, and compares a pinned key before anything is sent. */
const WINRM = 'winrm/open-socket.ts';
const sources = readdirSync(AGENT, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(AGENT, path), 'utf8') }));
const pathsWith = (pattern: RegExp): string[] =>
  sources.filter(({ text }) => pattern.test(text)).map((one) => one.path);

describe('certificates that do not verify', () => {
  it('are let through a handshake in three files alone: one looks at them, one judges them itself, one compares a pinned key', () => {
    expect(pathsWith(/rejectUnauthorized\s*:(?!\s*true\b)/).toSorted()).toEqual([LOOK, JUDGED, WINRM]);
    const { text } = sources.find((one) => one.path === LOOK)!;
    // It reads no data, writes none, and shows no certificate of its own.
    expect(text).not.toMatch(/\.write\(|\.end\(|\.on\('data'|\bcert:|\bkey:|secureContext/);
  });

  it('are taken from a Windows host only where its pinned key is compared', () => {
    const { text } = sources.find((one) => one.path === WINRM)!;
    const lax = text.split('\n').filter((line) => /rejectUnauthorized\s*:(?!\s*true\b)/.test(line));
    expect(lax.map((line) => line.trim())).toEqual([
      "await firstOf(connectTls({ socket: raw, rejectUnauthorized: false }), 'secureConnect', raw);",
      '? { rejectUnauthorized: false }',
    ]);
    // The first destroys the socket whatever comes; the second is followed by the comparison.
    expect(text).toMatch(/trust\.kind === 'spki'\s*\? \{ rejectUnauthorized: false \}/);
    expect(text).toMatch(/if \(!trust\.pins\.includes\(shown\)\) \{\s*throw/);
  });

  it('are judged by hand in one place, and before a byte of a request is written', () => {
    expect(pathsWith(/shakeHandsUnjudged/)).toEqual([JUDGED, 'https/pinned-connection.ts']);
    const { text } = sources.find((one) => one.path === 'https/pinned-connection.ts')!;
    const [, after = ''] = text.split("socket.once('secureConnect'");
    expect(after.indexOf('serverProblem(')).toBeGreaterThan(0);
    expect(after.indexOf('serverProblem(')).toBeLessThan(after.indexOf('resolve({ socket'));
  });

  it('are looked at by the doctor and by nothing else', () => {
    expect(pathsWith(/import \{[^}]*\} from '[^']*look-at-certificate\.ts'/)).toEqual(['cli/doctor/steps.ts']);
  });
});
