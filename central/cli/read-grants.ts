// Standing grants as people write them: ids and a date. What a grant binds, the digests, comes from the list that it is signed with.
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { parse } from 'yaml';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { ContentList, StandingGrant } from '../../agent/wire/schemas/content.ts';
import { id, int, name } from '../../agent/wire/schemas/primitives.ts';

type ContentFile = ContentList['files'][number];

const MAX_FILE_BYTES = 262_144;
/** As many as healing's own limits could ever let run; 0 holds a grant without taking it back. */
const MAX_PER_DAY = 100;

const grantSchema = v.strictObject({
  grant_id: id,
  rule: name,
  runbook: name,
  baseline: name,
  class: v.picklist(['routine', 'disruptive']),
  scope: v.picklist(['appliance', 'targets']),
  limits: v.optional(v.strictObject({ per_day: int(0, MAX_PER_DAY) })),
  not_after: v.pipe(v.string(), v.isoTimestamp(), v.regex(/^[^.]{19}Z$/, 'must be whole seconds in UTC')),
});
const fileSchema = v.strictObject({ grants: v.pipe(v.array(grantSchema), v.minLength(1), v.maxLength(512)) });

/**
 * The grants of a YAML or JSON file, with the digests of what they name among `files`.
 *
 * @throws usage for what does not fit, is not listed or listed in several versions, stands twice, or is over at `now` (Unix seconds)
 */
export function readGrants(file: string, files: readonly ContentFile[], now: number): StandingGrant[] {
  const parsed = v.safeParse(fileSchema, readYaml(file), { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const at = issue.path?.map(({ key }) => String(key)).join('.');
    throw new AgentError('usage', `${at ?? 'the file'} does not fit: ${issue.message}`, { place: file });
  }
  const { grants } = parsed.output;
  return grants.map((grant, index): StandingGrant => {
    const refuse = (why: string): AgentError =>
      new AgentError('usage', `grant ${grant.grant_id}: ${why}`, { place: file });
    if (grants.findIndex(({ grant_id: other }) => other === grant.grant_id) !== index) throw refuse('it stands twice');
    const only = (kind: ContentFile['kind'], wanted: string): ContentFile => {
      const [found, ...more] = files.filter((one) => one.kind === kind && one.id === wanted);
      if (found === undefined) throw refuse(`no ${kind} ${wanted} is in the folder`);
      if (more.length > 0) throw refuse(`the ${kind} ${wanted} is in the folder in several versions`);
      return found;
    };
    const notAfter = unixSecondsOf(grant.not_after);
    if (notAfter === null || notAfter <= now) throw refuse('not_after is no time to come');
    const [rule, runbook] = [only('rule', grant.rule), only('runbook', grant.runbook)];
    return {
      schema: 'compliance-agent/standing-grant/v1',
      grant_id: grant.grant_id,
      rule: { id: rule.id, sha256: rule.sha256 },
      runbook: { id: runbook.id, version: runbook.version, sha256: runbook.sha256 },
      baseline_sha256: only('baseline', grant.baseline).sha256,
      class: grant.class,
      scope: grant.scope,
      limits: { ...grant.limits },
      not_after: notAfter,
    };
  });
}

/** Null for a day that the calendar does not have, which Date would take for the next one. */
function unixSecondsOf(text: string): number | null {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text.replace('Z', '.000Z') ? ms / 1_000 : null;
}

function readYaml(file: string): unknown {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_FILE_BYTES) throw new AgentError('usage', 'the file of grants is too large', { place: file });
    return parse(text, { schema: 'core', maxAliasCount: 0 });
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('usage', 'the file of grants cannot be read as YAML or JSON', { place: file, cause });
  }
}
