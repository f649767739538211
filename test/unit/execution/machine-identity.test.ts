import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  guardedScript,
  identityLine,
  isMachineSid,
  readGuardedScript,
  readIdentity,
} from '../../../agent/execution/machine-identity.ts';
import { lintPowerShell } from '../../../tools/powershell-lint.ts';

const SID = 'S-1-5-21-1004336348-1177238915-682003330';

describe('the identifier of a machine', () => {
  it('is that of an account database and no account, no group and no other text', () => {
    expect(isMachineSid(SID)).toBe(true);
    expect(isMachineSid('S-1-5-21-0-4294967295-1')).toBe(true);
    const others = [
      ...[
        '',
        'S-1-5-21',
        `${SID}-500`,
        `${SID}-`,
        ` ${SID}`,
        `${SID}\n`,
        SID.toLowerCase(),
        'S-1-5-32-544',
        'S-1-5-18',
      ],
      ...[
        'S-1-5-21-1-2',
        'S-1-5-21-01-2-3',
        'S-1-5-21-1-2-x',
        "S-1-5-21-1-2-3'; exit 0; '",
        'S-1-5-21-99999999999-1-1',
      ],
    ];
    for (const text of others) expect(isMachineSid(text), text).toBe(false);
  });
});

describe('a guarded script', () => {
  it('is understood by Windows PowerShell 5.1, and holds the script byte for byte', async () => {
    for (const expected of [null, SID]) {
      const text = guardedScript("param([string]$InputJson)\n'grün }'\n'@\n", expected);
      // What it lacks is the part that runbooks have in common.
      expect(await lintPowerShell(text)).toEqual([expect.stringContaining('the common part')]);
      expect(readGuardedScript(text)).toEqual({ script: "param([string]$InputJson)\n'grün }'\n'@\n", expected });
    }
    expect(readGuardedScript('param([string]$InputJson)\n')).toBeNull();
  });

  it('compares nothing but an identifier with what the machine says', () => {
    for (const text of ['', "x' -or $true) { } #", `${SID}-500`]) {
      expect(() => guardedScript('', text)).toThrow(TypeError);
    }
  });

  it('tells its answer apart from whatever the script prints', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, marked) => {
        const own = Buffer.from(bytes);
        fc.pre(!own.toString('latin1').includes('machine_sid='));
        const mark = marked ? Buffer.from([0xef, 0xbb, 0xbf]) : Buffer.alloc(0);
        const { answer, rest } = readIdentity(Buffer.concat([mark, Buffer.from(identityLine(SID)), own]));
        expect(answer).toEqual({ said: 'sid', sid: SID });
        expect(rest.equals(own)).toBe(true);
        expect(readIdentity(own)).toEqual({ answer: { said: 'not_asked' }, rest: own });
      }),
    );
  });

  it.each([
    ['an empty answer', identityLine(null)],
    ['an account', identityLine(`${SID}-500`)],
    ['a SID of another kind', identityLine('S-1-5-32-544')],
    ['two answers', identityLine(SID) + identityLine('S-1-5-21-1-2-3')],
    ['the same answer twice', identityLine(SID) + identityLine(SID)],
    ['a second answer after the facts', `${identityLine(SID)}{}\r\n  ${identityLine('S-1-5-21-1-2-3')}`],
  ])('takes %s for none', (_name, text) => {
    expect(readIdentity(Buffer.from(text)).answer).toEqual({ said: 'nothing' });
  });

  it.each([
    ['nothing', ''],
    ['an answer that is not the first line', `x\r\n${identityLine(SID)}`],
    ['an answer that does not end', `machine_sid=${SID}`],
    ['a first line without end', `machine_sid=${'9'.repeat(10_000)}`],
  ])('takes %s for not asked', (_name, text) => {
    expect(readIdentity(Buffer.from(text)).answer).toEqual({ said: 'not_asked' });
  });
});
