import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initialState, type Enrolled } from '../../../agent/daemon/agent-state.ts';
import { documentsInTurn } from '../../../agent/daemon/bring-documents.ts';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { syncContentHandler } from '../../../agent/daemon/order-handlers/sync-content.ts';
import { loadTrustState } from '../../../agent/daemon/trust-state.ts';
import {
  openScriptedAppliance,
  problem,
  startScriptedCentral,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';
import { SITE } from '../../support/trust-fixtures.ts';

let central: ScriptedCentral;
beforeAll(async () => {
  central = await startScriptedCentral();
});
afterAll(() => central.server.close());

const signal = new AbortController().signal;

describe('an order to bring documents and content', () => {
  it('fails with the code of what could not be taken over, and what was in force stays', async () => {
    const appliance = openScriptedAppliance(central);
    central.documents = (_, response) => problem(response, 404, 'document_unknown');
    const answer = {
      ...central.answer({ method: '', path: '', headers: {}, body: Buffer.alloc(0), payloadSha256: '0'.repeat(64) }),
      content: { version: 7, sha256: 'a'.repeat(64) },
    };
    const line = central.trust.sign('checkinAnswer', answer);
    const { store, evidence, uplink, clock, log } = appliance;
    const state = { ...initialState(), answerHeld: { line, atMs: 0 } };
    const context = { store, clock, log, state } as Partial<DaemonContext> as DaemonContext;
    const enrolled = { trust: loadTrustState(store, SITE), uplink, evidence } as Partial<Enrolled> as Enrolled;
    const handler = syncContentHandler(enrolled, context);
    if (handler.does !== 'work') throw new Error('takes no time');
    const order = central.trust.order({ kind: 'sync_content', class: 'read', params: {} });
    const outcome = await handler.act(order, signal, { digest: 'd'.repeat(64), authorisationDigest: null });
    expect(outcome).toMatchObject({
      ...{ kind: 'failed', code: 'http_refused' },
      result: { root_version: 1, content_version: null, files: 0, files_missing: 0 },
    });
    await appliance.close();
  });

  it('takes turns with a check-in, also after one that failed, and begins nothing once it was stopped', async () => {
    const context = { state: initialState() };
    const said: string[] = [];
    const first = Promise.withResolvers<void>();
    const one = documentsInTurn(context, signal, async () => {
      said.push('one begins');
      await first.promise;
      said.push('one ends');
      throw new Error('no network');
    });
    const two = documentsInTurn(context, signal, () => Promise.resolve(said.push('two')));
    const stopped = new AbortController();
    const three = documentsInTurn(context, stopped.signal, () => Promise.resolve(said.push('three')));
    stopped.abort(new Error('stopped'));
    first.resolve();
    const ends = await Promise.allSettled([one, two, three]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(said).toEqual(['one begins', 'one ends', 'two']);
  });
});
