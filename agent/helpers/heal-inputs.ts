// What the daemon hands over beside a request, held against the content list that the helpers hold: only bytes that are signed say
// what is acted on. Pure.
import * as v from 'valibot';
import { parseBaseline, type LoadedBaseline } from '../checks/baseline.ts';
import { parseDataFile } from '../checks/data-file.ts';
import { AgentError } from '../errors/agent-error.ts';
import { runbookClass } from '../trust/content-list.ts';
import { sha256Hex } from '../wire/digest.ts';
import { unpackRunbook } from '../wire/runbook-package.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import { RESTARTABLE, type HealAct, type Restartable } from './heal-request.ts';

/** A baseline as parseDataFile takes it. */
export const MAX_BASELINE_BYTES = 262_144;
/** A runbook of the appliance is one file of some kilobytes. */
export const MAX_RUNBOOK_BYTES = 262_144;

/** Which unit of the baseline a runbook for this check restarts. */
const RESTARTS: Readonly<Record<string, Restartable>> = { av_edr: 'av_edr', logging: 'log_forwarder' };

/** What counts of a runbook here. Its bytes are signed and were linted by those who signed; the rest is the executor's. */
const remedySchema = v.looseObject({
  id: v.string(),
  version: v.number(),
  platform: v.literal('appliance'),
  check: v.string(),
  remediate: v.looseObject({ by: v.literal('verb'), verb: v.string() }),
});

export interface HandedFiles {
  readonly baseline: Buffer | null;
  readonly runbook: Buffer | null;
}

export interface HealInputs {
  readonly baseline: LoadedBaseline;
  /** Id of the check that the runbook heals. */
  readonly check: string;
}

const refused = (sentence: string, place: string): AgentError =>
  new AgentError('helper_not_declared', sentence, { place });

/**
 * @param baselineId of the baseline that root's configuration names: what counts here is the newest of this id in the list
 * @throws helper_input_missing, helper_not_declared, helper_not_granted, baseline_invalid, runbook_package_invalid, runbook_invalid
 */
export function judgeInputs(act: HealAct, files: HandedFiles, list: ContentList, baselineId: string): HealInputs {
  if (files.baseline === null || files.runbook === null) {
    throw new AgentError('helper_input_missing', 'a request came without the baseline or the runbook that it names');
  }
  const inForce = list.files
    .filter((file) => file.kind === 'baseline' && file.id === baselineId)
    .toSorted((a, b) => b.version - a.version)[0];
  if (inForce === undefined) throw refused(`the content list names no baseline ${baselineId}`, 'baseline');
  if (act.baseline_sha256 !== inForce.sha256 || sha256Hex(files.baseline) !== inForce.sha256) {
    throw refused('the baseline is not the newest one that is signed for this appliance', 'baseline');
  }
  if (sha256Hex(files.runbook) !== act.runbook.sha256 || runbookClass(list, act.runbook) === null) {
    throw refused('the runbook is not the one that the request names, or not in the signed content list', 'runbook');
  }
  const text = unpackRunbook(files.runbook).find(({ path }) => path === 'runbook.yaml')?.text ?? '';
  const remedy = parseDataFile(Buffer.from(text), 'runbook', remedySchema, 'runbook_invalid').value;
  if (remedy.id !== act.runbook.id || remedy.version !== act.runbook.version) {
    throw refused('the runbook is listed under another id or version than its own', 'runbook');
  }
  if (remedy.remediate.verb !== act.verb) {
    throw new AgentError('helper_not_granted', 'the remedy of the runbook is another helper', { place: 'runbook' });
  }
  if (act.verb === 'restart-unit' && RESTARTS[remedy.check] !== act.what) {
    const sentence = `the runbook is for another check than that of ${RESTARTABLE.find((one) => one === act.what)}`;
    throw new AgentError('helper_not_granted', sentence, { place: 'runbook' });
  }
  return { baseline: parseBaseline(files.baseline, 'baseline'), check: remedy.check };
}
