// A machine in memory behind the lab's WinRM server: what comes over the wire is taken apart as Windows PowerShell's bootstrap
// would, and answered by simulated-site.ts.
import { identityLine, readGuardedScript } from '../../agent/execution/machine-identity.ts';
import type { ScriptInput } from '../../agent/execution/runner.ts';
import type { Target } from '../../agent/targets/target.ts';
import type { CommandHandler } from './winrm-server/remote-command.ts';
import type { SimulatedSite } from './simulated-site.ts';

/** What a script on a real host gets as its parameters, for handlers of their own. */
export function readBootstrapInput(stdin: Buffer): { script: string; input: ScriptInput; cpuMs: number } {
  const [script = '', input = '', cpuMs = ''] = stdin
    .toString('ascii')
    .split('\n')
    .map((line) => Buffer.from(line, 'base64').toString('utf8'));
  return { script, input: JSON.parse(input) as ScriptInput, cpuMs: Number(cpuMs) };
}

/** What a machine of the lab says of itself where nobody says otherwise. */
export const LAB_MACHINE_SID = 'S-1-5-21-1004336348-1177238915-682003330';

/** `handler` on a machine that says who it is before each guarded script, and runs none that is meant for another one. */
export function asMachine(handler: CommandHandler, sid: () => string | null = () => LAB_MACHINE_SID): CommandHandler {
  return async (run) => {
    const stdin = await run.stdin();
    const [first = '', ...others] = stdin.toString('ascii').split('\n');
    const guarded = readGuardedScript(Buffer.from(first, 'base64').toString('utf8'));
    if (guarded === null) return handler({ ...run, stdin: () => Promise.resolve(stdin) });
    const own = sid();
    run.write('stdout', identityLine(own));
    if (guarded.expected !== null && guarded.expected !== own) return 1;
    const plain = [Buffer.from(guarded.script).toString('base64'), ...others].join('\n');
    return handler({ ...run, stdin: () => Promise.resolve(Buffer.from(plain, 'ascii')) });
  };
}

/** Longer than any client waits: the client's own limit is what counts. */
const HOST_PATIENCE_MS = 600_000;
const HOST_CAP_BYTES = 64 * 1_024 * 1_024;

/** Carries out what `site` would do on the machine `id`. Anything that is not the bootstrap is refused, as an unknown program is. */
export function hostHandler(site: SimulatedSite, id: string): CommandHandler {
  return async (run) => {
    if (run.command !== 'powershell.exe' || !run.args.includes('-EncodedCommand')) return 1;
    const { script, input, cpuMs } = readBootstrapInput(await run.stdin());
    const request = { script, params: input, cpuMs, timeoutMs: HOST_PATIENCE_MS, outputCapBytes: HOST_CAP_BYTES };
    const output = await site.run({ id } as Target, request, run.signal);
    run.write('stdout', output.stdout);
    run.write('stderr', output.stderr);
    return output.exitCode ?? 1;
  };
}
