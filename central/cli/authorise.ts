import { userInfo } from 'node:os';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { encodeDocument } from '../../agent/wire/document.ts';
import { orderKind } from '../../agent/wire/schemas/order.ts';
import { draftAuthorisation, publishAuthorisation } from '../service/authorise.ts';
import { authorisationState } from '../service/issue-authorised.ts';
import { describeAuthorisation } from './describe-draft.ts';
import { readDraft, writeDraft } from './draft-file.ts';
import { parseParams, parseRunbook, parseTarget, parseWindow } from './order-options.ts';
import { print, table, when, type Common } from './output.ts';
import { signDraftFile, type SignOptions } from './sign-draft.ts';
import { withRecords, type WithData } from './with-records.ts';

interface DraftOptions extends Common, WithData {
  readonly appliance: string;
  readonly kind: string;
  readonly params: string;
  readonly runbook?: string;
  readonly target?: readonly string[];
  readonly window: string;
  readonly reason?: string;
  readonly days: number;
  readonly out: string;
}

/** Writes what is to be signed; publishes nothing. */
export async function draft(o: DraftOptions): Promise<void> {
  const { kind } = o;
  if (!v.is(orderKind, kind)) throw new AgentError('usage', `there is no order kind ${kind}`);
  await withRecords(o, (records) => {
    const value = draftAuthorisation(records, {
      applianceId: o.appliance,
      kind,
      params: parseParams(o.params),
      targets: (o.target ?? []).map(parseTarget),
      window: parseWindow(o),
      days: o.days,
      ...(o.runbook === undefined ? {} : { runbook: parseRunbook(o.runbook, records.trust.content()?.value ?? null) }),
    });
    writeDraft(o.out, 'authorisation', encodeDocument('authorisation', value));
    const text = `${describeAuthorisation(value)}\ndraft in ${o.out}: each person runs central-command authorise sign ${o.out}`;
    print(o, { authorisation_id: value.authorisation_id, not_after: value.not_after, draft: o.out }, text);
  });
}

export const sign = (file: string, o: SignOptions): Promise<void> =>
  signDraftFile(
    file,
    {
      name: 'authorisation',
      role: 'operator',
      describe: describeAuthorisation,
      named: ({ authorisation_id }) => ({ authorisation_id }),
    },
    o,
  );

export async function publish(file: string, o: Common & WithData): Promise<void> {
  await withRecords(o, (records) => {
    const { value, persons, isNew } = publishAuthorisation(records, readDraft(file, 'authorisation'), file);
    print(
      o,
      { authorisation_id: value.authorisation_id, persons, published: isNew, not_after: value.not_after },
      isNew
        ? `${value.authorisation_id} is published, signed by ${persons.join(', ')}: ordered in the window until ${when(value.not_after)}`
        : `${value.authorisation_id} was published before; nothing changed`,
    );
  });
}

export async function list(o: Common & WithData & { readonly limit: number }): Promise<void> {
  await withRecords(o, (records) => {
    const rows = records.store.authorisations.list(o.limit).map((row) => {
      const { state, last } = authorisationState(records, row);
      const { authorisation_id, appliance_id, kind, persons, not_after } = row;
      const report = last === null ? null : { state: last.state, outcome: last.outcome, code: last.code };
      return { authorisation_id, appliance_id, kind, persons: persons.split(' '), not_after, state, report };
    });
    const lines = rows.map((row) => [
      row.authorisation_id,
      row.appliance_id,
      row.kind,
      row.state,
      row.report === null ? '-' : row.report.code || row.report.outcome || row.report.state,
      row.persons.join(', '),
      when(row.not_after),
    ]);
    const head = ['AUTHORISATION', 'APPLIANCE', 'KIND', 'STATE', 'REPORTED', 'SIGNED BY', 'UNTIL'];
    print(o, { authorisations: rows }, rows.length === 0 ? 'no authorisations' : table(head, lines));
  });
}

/** Stops further orders; one that an appliance holds already lives for 15 minutes at most. */
export async function withdraw(id: string, o: Common & WithData): Promise<void> {
  await withRecords(o, ({ store, now }) => {
    const row = store.authorisations.byId(id);
    if (row === null) throw new AgentError('authorisation_unknown', `no authorisation ${id} is published`);
    store.authorisations.withdraw(id, userInfo().username, now());
    print(o, { authorisation_id: id, withdrawn: true }, `${id} is withdrawn; no further order embeds it`);
  });
}
