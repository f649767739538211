// What the agent judges by and runs: the files of the content list in force, and what shipped with it for all that the list
// does not name.
import { isAgentError } from '../errors/agent-error.ts';
import { parseBaseline } from '../checks/baseline.ts';
import { parseControlMap } from '../checks/controls.ts';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { isForAppliance } from '../execution/appliance/appliance-run.ts';
import { loadPackage } from '../execution/load-package.ts';
import type { LoadedRunbook } from '../execution/load-runbook.ts';
import type { Book } from '../execution/look-around.ts';
import { isForWindows } from '../execution/run-request.ts';
import { rulesInForce } from '../healing/rules-in-force.ts';
import type { ContentFiles } from '../store/content-files.ts';
import type { Log } from '../system/ports.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { ApplianceBook } from './appliance-work.ts';
import type { DaemonContext } from './context.ts';
import type { LoadedChecks } from './load-checks.ts';

type ListedFile = ContentList['files'][number];

/** Takes up what the list in force brings, or goes back to what shipped where there is none. To be called when it changed. */
export function takeUpContent(context: DaemonContext): void {
  const { shipped, state, store, log } = context;
  const list = state.enrolled?.trust.content()?.value ?? null;
  try {
    context.checks = checksInForce(shipped.checks, list, store.content);
  } catch (error) {
    // It was judged before it came into force: by an agent that knew more than this one.
    if (!isAgentError(error)) throw error;
    log.error('content not taken up', { code: error.code, place: error.place, reason: error.message });
    context.checks = shipped.checks;
  }
  context.windows.books = booksInForce(shipped.books, list, store.content, log);
  context.appliance.books = applianceInForce(shipped.applianceBooks, list, store.content, log);
  context.healing.rules = rulesInForce(list, store.content);
  for (const { code, place, message } of context.healing.rules.refused) {
    log.error('rule left out', { code, place, reason: message });
  }
}

/** Whether this appliance could go by the list, all of whose files are here. @throws as {@link checksInForce} */
export function judgeContent({ shipped, store }: DaemonContext, list: ContentList): void {
  checksInForce(shipped.checks, list, store.content);
}

/**
 * The baseline and control maps to judge by: of each that shipped or is configured, the listed one of the same id takes the
 * place. Pure but for the reading.
 *
 * @throws baseline_invalid, control_map_invalid: a list with such a file does not come into force
 */
export function checksInForce(own: LoadedChecks, list: ContentList | null, content: ContentFiles): LoadedChecks {
  const listed = (kind: ListedFile['kind'], id: string): { bytes: Buffer; place: string } | null => {
    const file = newest(list, kind, id);
    const bytes = file === null ? null : content.read(file.sha256);
    return file === null || bytes === null ? null : { bytes, place: file.path };
  };
  const baseline = listed('baseline', own.baseline.id);
  return {
    baseline: baseline === null ? own.baseline : parseBaseline(baseline.bytes, baseline.place),
    baselineBytes: baseline === null ? own.baselineBytes : baseline.bytes,
    controls: own.controls.map((map) => {
      const file = listed('control_map', map.id);
      return file === null ? map : parseControlMap(file.bytes, file.place);
    }),
  };
}

/** Windows runbooks in force, each with its check; as {@link inForce}. */
export function booksInForce(
  own: readonly Book[],
  list: ContentList | null,
  content: ContentFiles,
  log: Log,
  checks: readonly WindowsCheck[] = WINDOWS_CHECKS,
): readonly Book[] {
  const isOne = (id: string): boolean => !id.startsWith(OF_APPLIANCE);
  return inForce(own, { list, content, log, checks }, isOne, (loaded): Book | null => {
    const check = checks.find((one) => one.id === loaded.runbook.check);
    return isForWindows(loaded) && check !== undefined ? { loaded, check } : null;
  });
}

/** Runbooks of the appliance in force; as {@link inForce}. */
export function applianceInForce(
  own: readonly ApplianceBook[],
  list: ContentList | null,
  content: ContentFiles,
  log: Log,
): readonly ApplianceBook[] {
  const isOne = (id: string): boolean => id.startsWith(OF_APPLIANCE);
  return inForce(own, { list, content, log, checks: [] }, isOne, (loaded) =>
    isForAppliance(loaded) ? { loaded } : null,
  );
}

const OF_APPLIANCE = 'RB-APP-';

/**
 * Runbooks to hold: the listed ones, and those that shipped under ids that the list does not name. One with mistakes is told and
 * left out, and with it the shipped one of its id: an older agent must not run what its list has replaced.
 */
function inForce<B extends { readonly loaded: LoadedRunbook }>(
  own: readonly B[],
  from: {
    readonly list: ContentList | null;
    readonly content: ContentFiles;
    readonly log: Log;
    readonly checks: readonly WindowsCheck[];
  },
  isOne: (id: string) => boolean,
  bookOf: (loaded: LoadedRunbook) => B | null,
): readonly B[] {
  const { list, content, log, checks } = from;
  const files = (list?.files ?? []).filter((file) => file.kind === 'runbook' && isOne(file.id));
  const named = new Set(files.map((file) => file.id));
  const brought = [...named].flatMap((id): B[] => {
    const file = newest(list, 'runbook', id);
    if (file === null) return [];
    const shipped = own.find(({ loaded }) => loaded.sha256 === file.sha256);
    if (shipped !== undefined) return [shipped];
    const bytes = content.read(file.sha256);
    if (bytes === null) return [];
    try {
      const book = bookOf(loadPackage(bytes, checks, file.path));
      return book === null ? [] : [book];
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      log.error('runbook left out', { code: error.code, place: file.path, reason: error.message });
      return [];
    }
  });
  return [...brought, ...own.filter(({ loaded }) => !named.has(loaded.runbook.id))];
}

function newest(list: ContentList | null, kind: ListedFile['kind'], id: string): ListedFile | null {
  const files = (list?.files ?? []).filter((file) => file.kind === kind && file.id === id);
  return files.toSorted((a, b) => b.version - a.version)[0] ?? null;
}
