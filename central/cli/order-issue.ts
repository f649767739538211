import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { orderKind } from '../../agent/wire/schemas/order.ts';
import { orderClass } from '../../agent/wire/schemas/primitives.ts';
import { loadOnlineKeys, onlineKeysDir } from '../keys/online-keys.ts';
import { unsealKeys } from '../keys/unsealed-keys.ts';
import { issueOrder } from '../service/issue-order.ts';
import { parseParams, parseRunbook, parseTarget, parseWindow } from './order-options.ts';
import { print, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly appliance: string;
  readonly kind: string;
  readonly params: string;
  readonly class?: string;
  readonly ttl?: number;
  readonly window: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly ticket?: string;
  readonly runbook?: string;
  readonly target?: readonly string[];
  readonly print?: boolean;
}

export async function issue(o: Options): Promise<void> {
  if (!v.is(orderKind, o.kind)) throw new AgentError('usage', `there is no order kind ${o.kind}`);
  if (o.class !== undefined && !v.is(orderClass, o.class)) {
    throw new AgentError('usage', '--class is read, routine or disruptive');
  }
  const kind = o.kind;
  const wish = {
    applianceId: o.appliance,
    kind,
    params: parseParams(o.params),
    window: parseWindow(o),
    issuedBy: userInfo().username,
    ...(o.class === undefined ? {} : { expectedClass: o.class }),
    ...(o.ttl === undefined ? {} : { lifeS: o.ttl }),
    ...(o.dryRun === true ? { dryRun: true } : {}),
    ...(o.ticket === undefined ? {} : { ticket: o.ticket }),
  };
  await unsealKeys(onlineKeysDir(resolve(o.data)));
  await withRecords(o, (records) => {
    const { order, line, digest } = issueOrder(
      { ...records, keys: loadOnlineKeys(resolve(o.data), records.trust.root().root) },
      {
        ...wish,
        targets: (o.target ?? []).map(parseTarget),
        ...(o.runbook === undefined
          ? {}
          : { runbook: parseRunbook(o.runbook, records.trust.content()?.value ?? null) }),
      },
    );
    const value = {
      order_id: order.order_id,
      appliance_id: order.appliance_id,
      seq: order.seq,
      class: order.class,
      kind,
      digest,
      expires_at: order.expires_at,
      ...(o.print === true ? { line } : {}),
    };
    const text = `${order.order_id} (${kind}, ${order.class}, seq ${order.seq}) until ${when(order.expires_at)}`;
    print(o, value, o.print === true ? line : text);
  });
}
