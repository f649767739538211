import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../../agent/system/log.ts';
import { holdsSecret, withoutSecrets } from '../../../agent/targets/secret-filter.ts';

const SECRET = 'Tr0ub4dor&3-Grün';

function logged(write: (log: ReturnType<typeof createLog>) => void, secrets: Buffer[] = [Buffer.from(SECRET)]): string {
  const lines: string[] = [];
  write(
    withoutSecrets(createLog({ format: 'json', level: 'debug', write: (line) => lines.push(line) }), () => secrets),
  );
  return lines.join('');
}

describe('the log with live secrets', () => {
  it('writes no line with one: not in the phrase, a field, a child, at any level', () => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) {
      const out = logged((log) => {
        log[level](`logon with ${SECRET} failed`);
        log[level]('logon failed', { reason: `401 for svc:${SECRET}@pc-1` });
        log.child({ note: SECRET })[level]('logon failed', { target: 'pc-1' });
      });
      expect(out).not.toContain('Tr0ub4dor');
      expect(out).toContain('[redacted]');
      expect(out).toContain('pc-1');
    }
  });

  it('leaves lines without one as they are', () => {
    const out = logged((log) => log.info('started', { target: 'pc-1', ms: 12 }));
    expect(out).toContain('"msg":"started"');
    expect(out).not.toContain('[redacted]');
  });

  it('knows a secret in hex, and in base64 wherever it begins in what is encoded', () => {
    const live = [Buffer.from('Password-Of-ASCII-1')];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (before, after) => {
        const whole = Buffer.concat([Buffer.from(before), live[0]!, Buffer.from(after)]);
        expect(holdsSecret(`x ${whole.toString('base64')} y`, live)).toBe(true);
        expect(holdsSecret(`x ${whole.toString('hex').toUpperCase()} y`, live)).toBe(true);
      }),
    );
    const wide = Buffer.from('Password-Of-ASCII-1', 'utf16le');
    expect(holdsSecret(`-EncodedCommand ${Buffer.concat([Buffer.from('a'), wide]).toString('base64')}`, live)).toBe(
      true,
    );
    expect(holdsSecret('Password-Of-ASCII-2', live)).toBe(false);
    const german = Buffer.from(SECRET, 'utf16le').toString('base64');
    expect(holdsSecret(`-EncodedCommand ${german}`, [Buffer.from(SECRET)])).toBe(true);
  });

  it('does not blank everything for an empty or tiny secret', () => {
    expect(logged((log) => log.info('abc'), [Buffer.alloc(0), Buffer.from('a')])).toContain('"msg":"abc"');
  });
});
