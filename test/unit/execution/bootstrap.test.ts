import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { BOOTSTRAP, bootstrapArguments, bootstrapInput } from '../../../agent/execution/bootstrap.ts';
import { lintPowerShell } from '../../../tools/powershell-lint.ts';

/** Of a line that passes through cmd.exe (Microsoft, "Command prompt line string limitation"). */
const MAX_COMMAND_LINE_CHARS = 8_191;
const decoded = (line: string | undefined) => Buffer.from(line ?? '', 'base64').toString('utf8');

describe('the bootstrap of a script', () => {
  it('stands whole on a command line of cmd.exe, and nothing of a script stands there', () => {
    const line = ['powershell.exe', ...bootstrapArguments()].join(' ');
    expect(line.length).toBeLessThan(MAX_COMMAND_LINE_CHARS);
    expect(line).toMatch(/^[A-Za-z0-9 .+/=-]+$/);
    expect(Buffer.from(bootstrapArguments().at(-1) ?? '', 'base64').toString('utf16le')).toBe(BOOTSTRAP);
  });

  it('is read by Windows PowerShell 5.1, its watchdog as well', async () => {
    const [, watchdog = ''] = /AddScript\('(.*)'\)/.exec(BOOTSTRAP) ?? [];
    expect(watchdog).toContain('TotalProcessorTime');
    for (const text of [BOOTSTRAP, watchdog]) {
      const mistakes = await lintPowerShell(text);
      expect(mistakes.filter((one) => /does not read|5\.1 has no|does not know|is ASCII|\.NET/.test(one))).toEqual([]);
    }
    expect((await lintPowerShell(`${watchdog}\n$a = $b ?? 1`)).join()).toContain('does not read');
  });

  it('gets script, input and processor time as three lines of ASCII, whatever characters they hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.jsonValue(), fc.nat(), (script, params, cpuMs) => {
        const lines = bootstrapInput(script, params, cpuMs).toString('latin1').split('\n');
        expect(lines).toHaveLength(4);
        expect(lines.join('')).toMatch(/^[A-Za-z0-9+/=]*$/);
        expect(decoded(lines[0])).toBe(Buffer.from(script, 'utf8').toString('utf8'));
        expect(JSON.parse(decoded(lines[1]))).toEqual(JSON.parse(JSON.stringify(params)));
        expect(Number(decoded(lines[2]))).toBe(cpuMs);
      }),
    );
  });
});
