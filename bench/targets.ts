// What targets cost in a check-in: CPU on both sides for an answer with 25 of them, against one without.
import { createTargetTable } from '../agent/targets/target-table.ts';
import { openTargets } from '../agent/uplink/open-targets.ts';
import { freshHpkeKey } from '../agent/wire/hpke.ts';
import { addTarget, setTargetSecret } from '../central/service/targets.ts';
import { sealTargets } from '../central/service/seal-targets.ts';
import { buildAnswer } from '../central/service/build-answer.ts';
import { bindDevice, makeInProcessCentral } from '../test/support/central-in-process.ts';
import { checkinRequestOf } from '../test/support/device.ts';
import { wireTarget } from '../test/support/targets.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const TARGETS = 25;

export async function benchTargets({ smoke }: { readonly smoke: boolean }): Promise<BenchRow[]> {
  const [runs, each] = smoke ? [1, 3] : [5, 200];
  const central = await makeInProcessCentral();
  try {
    const me = await bindDevice(central, 'north-1');
    const by = { person: 'bench' };
    const account = { siteId: 'north', credentialId: 'clinic-svc', principal: 'svc', domain: 'CLINIC' };
    setTargetSecret(central, { ...account, secret: Buffer.from('a password of usual length'), ...by });
    for (let i = 0; i < TARGETS; i++) {
      const { principal: _p, domain: _d, credential_id: _c, credential_version: _v, ...fields } = wireTarget(`pc-${i}`);
      addTarget(central, { applianceId: 'north-1', credentialId: 'clinic-svc', fields, ...by });
    }
    const binding = central.store.appliances.binding('north-1')!;
    const table = createTargetTable({
      clock: { bootMs: () => 0 },
      networks: () => [{ prefix: '192.0.2.0/24', ports: [5986] }],
    });
    const digest = 'ab'.repeat(32);
    const answer = buildAnswer(central, binding, digest);
    const time = { serverTime: central.now(), bootMs: 0 };
    const costs = { key: [] as number[], seal: [] as number[], open: [] as number[] };
    let bytes = 0;
    for (let run = 0; run <= runs; run++) {
      const keys = Array.from({ length: each }, () => freshHpkeKey());
      const key = await cpuMs(each, () => void freshHpkeKey());
      const blobs: string[] = [];
      const seal = await cpuMs(each, async (i) => {
        const request = checkinRequestOf(me, { hpke_public_key: keys[i]!.publicKey.toString('base64') });
        const targets = await sealTargets(central, request, digest, answer);
        blobs.push(targets!.hpke);
      });
      const open = await cpuMs(each, async (i) => {
        const refused = await openTargets(table, { ...answer, targets: { hpke: blobs[i]! } }, keys[i]!, time);
        if (refused !== null || table.list().length !== TARGETS) throw new Error('the targets did not open');
      });
      bytes = blobs[0]!.length;
      // The first run warms up.
      if (run > 0) for (const [name, value] of Object.entries({ key, seal, open })) costs[name as 'key'].push(value);
    }
    return [
      rowOf('appliance: CPU of a fresh key for a check-in', 'ms', costs.key),
      rowOf(`central: CPU to unseal, frame and seal ${TARGETS} targets`, 'ms', costs.seal),
      rowOf(`appliance: CPU to open and take ${TARGETS} targets`, 'ms', costs.open),
      rowOf(`${TARGETS} targets in an answer`, 'bytes', [bytes]),
    ];
  } finally {
    central.remove();
  }
}

/** CPU of this process per call. */
async function cpuMs(times: number, work: (i: number) => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) await work(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / times;
}
