import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import type { ContentList, StandingGrant } from '../../agent/wire/schemas/content.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly version?: number;
}

/** A published content list: the newest, or the one of `--version`. @throws document_unknown */
export async function showContent(o: Options): Promise<void> {
  await withRecords(o, ({ store }) => {
    const { documents } = store;
    const row = o.version === undefined ? documents.latest('content') : documents.byVersion('content', '', o.version);
    if (row === null) throw new AgentError('document_unknown', 'there is no such content list');
    const { payload } = parseEnvelope(row.line, { maxBytes: maxLineBytes('contentList') });
    const list = parseDocument('contentList', payload);
    print(o, { sha256: row.digest, ...list }, textOf(list, row.digest));
  });
}

function textOf(list: ContentList, digest: string): string {
  const head = `content list ${list.version} of ${when(list.issued_at)}, until ${when(list.expires_at)}: ${digest}`;
  const files = list.files.map((f) => [f.kind, f.id, String(f.version), f.class ?? '-', f.sha256]);
  const grants = list.grants.map((g) => [
    ...[g.grant_id, g.rule.id, `${g.runbook.id} ${g.runbook.version}`],
    ...[baselineOf(list, g), g.class, g.scope, limitsOf(g), when(g.not_after)],
  ]);
  const granted =
    grants.length === 0
      ? 'no standing grants'
      : table(['grant', 'rule', 'runbook', 'baseline', 'class', 'scope', 'per day', 'until'], grants);
  return [head, table(['kind', 'id', 'version', 'class', 'sha256'], files), granted].join('\n\n');
}

function baselineOf(list: ContentList, { baseline_sha256: sha256 }: StandingGrant): string {
  const file = list.files.find((one) => one.kind === 'baseline' && one.sha256 === sha256);
  return file === undefined ? sha256 : `${file.id} ${file.version}`;
}

const limitsOf = ({ limits }: StandingGrant): string => {
  const perDay = limits['per_day'];
  return typeof perDay === 'number' ? String(perDay) : '-';
};
