// `facts [NAME…]`: what the probes read on this machine now, before anybody judges it.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { closestName } from '../errors/closest-name.ts';
import { hostProbe } from '../facts/host.ts';
import type { Fact, ProbeContext } from '../facts/probe.ts';
import { PROBE_NAMES, type ProbeName } from '../facts/probes.ts';
import { recoveryKeyProbe } from '../facts/recovery-key.ts';
import { readFact, readFacts } from '../facts/read-facts.ts';
import { writeRootFact } from '../facts/root-facts.ts';
import { isAgeFile } from '../wire/age-file.ts';
import type { CliContext } from './deps.ts';
import { baselineOf, stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { probeContext } from './probe-context.ts';
import { harmless, painter } from './style.ts';

/** Read where somebody names them; no check rests on them. */
const NAMED_ONLY = { host: hostProbe, recovery_key: recoveryKeyProbe(isAgeFile) } as const;
type NamedOnly = keyof typeof NAMED_ONLY;
type AskedName = ProbeName | NamedOnly;
const isNamedOnly = (name: AskedName): name is NamedOnly => Object.hasOwn(NAMED_ONLY, name);
const ASKED_NAMES: readonly AskedName[] = [...PROBE_NAMES, 'host', 'recovery_key'];
type AskedFacts = Readonly<Partial<Record<AskedName, Fact<unknown>>>>;

/** @throws usage for a name that no probe has */
export function probeNames(names: readonly string[]): AskedName[] {
  if (names.length === 0) return [...PROBE_NAMES];
  return names.map((name) => {
    const found = ASKED_NAMES.find((known) => known === name);
    if (found !== undefined) return found;
    const close = closestName(name, ASKED_NAMES);
    throw new AgentError('usage', `there is no fact "${name}"`, {
      remedy: close === null ? `facts: ${ASKED_NAMES.join(', ')}` : `did you mean ${close}?`,
    });
  });
}

async function readAsked(asked: readonly AskedName[], context: ProbeContext): Promise<AskedFacts> {
  const watched = readFacts(
    asked.filter((name) => !isNamedOnly(name)),
    context,
  );
  const named = asked.filter(isNamedOnly).map(async (name) => {
    const fact: Fact<unknown> = await readFact<unknown>(NAMED_ONLY[name], context);
    return [name, fact] as const;
  });
  return { ...(await watched), ...Object.fromEntries(await Promise.all(named)) };
}

/** Nobody waits for it but its unit, which gives up after a minute; a repository may be far away. */
const HAND_OVER_DEADLINE_MS = 45_000;

/** Reads here and nowhere else: what root left earlier must not be handed on as new. */
async function write(context: CliContext, asked: readonly AskedName[], dir: string): Promise<number> {
  const { rootFacts: _, ...here } = probeContext(context, stateDirOf(context), baselineOf(context));
  const read = await readAsked(asked, { ...here, handsOver: true, deadlineMs: HAND_OVER_DEADLINE_MS });
  const written = asked.flatMap((name) => read[name] ?? []);
  for (const fact of written) writeRootFact(dir, fact, context.build.version);
  const rows = written.map((fact) => ({ name: fact.probe, status: fact.status }));
  print(context, 'facts', { written: rows }, () => rows.map(({ name, status }) => `${name}: ${status}`));
  return EXIT.ok;
}

/** With `--write DIR` as `<DIR>/<name>.json` for an agent that may not read them itself. */
export async function facts(
  context: CliContext,
  names: readonly string[],
  options: { write?: string } = {},
): Promise<number> {
  const asked = probeNames(names);
  if (options.write !== undefined) return write(context, asked, options.write);
  const read = await readAsked(asked, probeContext(context, stateDirOf(context), baselineOf(context)));
  const paint = painter(context.stdout, context.env);
  print(context, 'facts', { facts: read }, () =>
    asked.flatMap((name) => {
      const fact = read[name];
      if (fact === undefined) return [];
      if (fact.status === 'unreadable')
        return [`${name}: ${paint('yellow', harmless(`${fact.reason}: ${fact.detail}`))}`];
      return [
        `${name}:`,
        ...harmless(JSON.stringify(fact.value, null, 2))
          .split('\n')
          .map((line) => `  ${line}`),
      ];
    }),
  );
  return EXIT.ok;
}
