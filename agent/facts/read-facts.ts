// Reads several facts at once. One probe that hangs, fails or is missing costs its own fact and nothing else.
import { AgentError } from '../errors/agent-error.ts';
import { Unreadable, type Fact, type Probe, type ProbeContext, type UnreadableReason } from './probe.ts';
import { readRootFact } from './root-facts.ts';
import { PROBES, type FactSet, type FactValues, type ProbeName } from './probes.ts';

/** A probe's own tools have the deadline; this one is for what does not obey it (a dead network mount). */
const GRACE_MS = 1_000;

function reasonOf(error: unknown): UnreadableReason {
  if (error instanceof Unreadable) return error.reason;
  if (error instanceof AgentError) {
    if (error.code === 'file_denied') return 'denied';
    if (error.code === 'file_too_large') return 'too_much_output';
    return 'failed';
  }
  const errno = (error as NodeJS.ErrnoException | null)?.code;
  return errno === 'EACCES' || errno === 'EPERM' ? 'denied' : 'failed';
}

function withDeadline<T>(work: Promise<T>, context: ProbeContext): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (why: string) => (): void => reject(new Unreadable('timeout', why));
    const onAbort = giveUp('stopped');
    const timer = setTimeout(giveUp('no answer before the deadline'), context.deadlineMs + GRACE_MS);
    context.signal?.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      context.signal?.removeEventListener('abort', onAbort);
    });
  });
}

async function readHere<T>(probe: Probe<T>, context: ProbeContext): Promise<Fact<T>> {
  const base = { probe: probe.name, readAt: Math.floor(context.clock.wallMs() / 1000) };
  try {
    if (context.signal?.aborted === true) throw new Unreadable('timeout', 'stopped');
    // The extra function call turns a synchronous throw into a rejection.
    const value = await withDeadline((async () => probe.read(context))(), context);
    return { status: 'read', ...base, value };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { status: 'unreadable', ...base, reason: reasonOf(error), detail };
  }
}

/** Not allowed, or not equipped: what root read may stand in. A reading that was tried and failed stays a failure. */
const MAY_STAND_IN: ReadonlySet<UnreadableReason> = new Set(['denied', 'missing_tool']);

/** Reads one probe, here or from what root left; whatever goes wrong becomes an unreadable fact. */
export async function readFact<T>(probe: Probe<T>, context: ProbeContext): Promise<Fact<T>> {
  const fact = await readSomewhere(probe, context);
  if (fact.status === 'unreadable' || probe.own === undefined || context.handsOver === true) return fact;
  try {
    return { ...fact, value: probe.own(fact.value, context) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { status: 'unreadable', probe: fact.probe, readAt: fact.readAt, reason: reasonOf(error), detail };
  }
}

async function readSomewhere<T>(probe: Probe<T>, context: ProbeContext): Promise<Fact<T>> {
  const fact = await readHere(probe, context);
  if (fact.status === 'read' || !MAY_STAND_IN.has(fact.reason)) return fact;
  if (probe.asRoot === undefined || context.rootFacts === undefined) return fact;
  return readRootFact(probe, probe.asRoot.everyS, context.rootFacts, fact.readAt) ?? fact;
}

async function readOne<N extends ProbeName>(name: N, context: ProbeContext): Promise<[N, Fact<FactValues[N]>]> {
  return [name, await readFact(PROBES[name] as Probe<FactValues[N]>, context)];
}

/** Reads the named facts in parallel, each once, each with its own deadline. Never rejects. */
export async function readFacts(names: readonly ProbeName[], context: ProbeContext): Promise<FactSet> {
  const read = await Promise.all([...new Set(names)].map((name) => readOne(name, context)));
  return Object.fromEntries(read);
}
