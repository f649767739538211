// Which runbook a script that comes over the wire belongs to, without taking the same text apart each time: a month has a hundred
// thousand of them, and few are different.
import { readGuardedScript } from '../../../agent/execution/machine-identity.ts';
import type { ScriptInput } from '../../../agent/execution/runner.ts';
import { PARTS, partsByScript } from '../../lab/healing-host.ts';

export interface MachineScript {
  readonly runbook: string;
  readonly phase: ScriptInput['phase'];
  readonly expected: string | null;
}

const parts = partsByScript();
const known = new Map<string, Omit<MachineScript, 'phase'>>();
const MAX_KNOWN = 4_096;

/** `stdin`: what the bootstrap of a runbook's script is given. */
export function asMachineScript(stdin: Buffer): MachineScript {
  const text = stdin.toString('latin1');
  const [first = '', second = ''] = text.split('\n', 2);
  const { phase } = JSON.parse(Buffer.from(second, 'base64').toString('utf8')) as ScriptInput;
  let one = known.get(first);
  if (one === undefined) {
    const guarded = readGuardedScript(Buffer.from(first, 'base64').toString('utf8'));
    const part = guarded === null ? undefined : parts.get(guarded.script);
    if (guarded === null || part === undefined)
      throw new TypeError('this is no script of a runbook that the lab knows');
    one = { runbook: PARTS[part], expected: guarded.expected };
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(first, one);
  }
  return { ...one, phase };
}
