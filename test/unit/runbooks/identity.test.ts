// Who a machine says it is, by the guard of every script, on simulated machines in real PowerShell or as recorded.
import { describe, expect, it } from 'vitest';
import { readIdentity } from '../../../agent/execution/machine-identity.ts';
import { IDENTITIES, IDENTITIES_RECORDING, identityStep } from '../../lab/identities.ts';
import { findPowerShell } from '../../lab/powershell.ts';
import { Recordings } from '../../lab/recordings.ts';

const powershell = findPowerShell();
const recordings = new Recordings(IDENTITIES_RECORDING, powershell === null ? 'replay' : 'real', powershell);

describe('the guard before a script', () => {
  it.each(IDENTITIES.map((asked) => [asked.name, asked] as const))('asks %s', async (_name, asked) => {
    const { exitCode, stdout, stderr } = await recordings.outcome(identityStep(asked));
    const { answer, rest } = readIdentity(Buffer.from(stdout));
    expect(answer).toEqual(asked.sid === null ? { said: 'nothing' } : { said: 'sid', sid: asked.sid });
    expect(exitCode).toBe(asked.runs ? 0 : 1);
    if (asked.runs) expect(JSON.parse(rest.toString('utf8'))).toEqual({ schema: 'grün', phase: 'detect' });
    else expect(rest.toString()).toBe('');
    expect(stderr.includes('other_machine')).toBe(!asked.runs);
  });
});
