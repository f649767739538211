// An appliance that is enrolled goes along with one switch of the CA after the other, by itself: each next trust root brings it the
// new backup, and takes the CA before away.
import { createServer } from 'node:https';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../tools/demo/process.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { heldPins } from '../support/held-pins.ts';
import { serverIdentity } from '../support/impostor.ts';

const PATIENCE_MS = 60_000;
const DEADLINE_MS = 240_000;

interface Switched {
  readonly pin: string;
  readonly backup_pin: string;
  readonly former_pin: string;
}
interface Shown {
  readonly pin: string;
  readonly root_pins: readonly string[];
  readonly left_behind_by_switch: readonly string[];
}

describe('a daemon and the CA of Central Command', () => {
  const site = demoSite();
  const folder = join(site.paths.keys, '..');
  const switchCa = (...args: string[]) =>
    site.central('ca', 'switch', '--keys', site.paths.keys, ...args) as Promise<Switched>;
  const shown = () => site.central('ca', 'show') as Promise<Shown>;
  /** Answers of a later second than now: old ones are no proof of anything. */
  const answeredAnew = async (): Promise<void> => {
    const from = Math.floor(Date.now() / 1_000) + 1;
    await site.untilStatus(
      'it is answered',
      (s) => (s.last_answer_at ?? 0) >= from && s.blocking_reason === null && s.state === 'enrolled',
      PATIENCE_MS,
    );
  };
  const servedAnew = async (): Promise<void> => {
    await site.endCentral('SIGTERM');
    await site.startCentral();
    await answeredAnew();
  };
  const nextRoot = async (version: number): Promise<void> => {
    const file = join(folder, `root-${version}.json`);
    await site.central('root', 'draft', '--out', file);
    const argv = ['root', 'sign', file, '--keys', site.paths.keys, '--yes', '--json'];
    const signed = await run([process.execPath, join(REPO, 'central/main.ts'), ...argv], { cwd: folder });
    expect(signed).toMatchObject({ code: 0 });
    expect(await site.central('root', 'publish', file)).toMatchObject({ version });
  };
  const holdsOnly = (pins: readonly string[]) =>
    site.untilStatus(
      'it holds the CAs of the root alone',
      () => heldPins(site.paths.state).toSorted().join() === pins.toSorted().join(),
      PATIENCE_MS,
    );

  beforeAll(async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
  }, DEADLINE_MS);

  it(
    'stays with it over two switches one after the other, and is not enrolled anew',
    async () => {
      const [first] = (await shown()).root_pins;
      const one = await switchCa();
      expect(one.former_pin).toBe(first);
      await servedAnew();
      expect(heldPins(site.paths.state)).toEqual([first, one.pin]);
      await expect(switchCa()).rejects.toThrow(/ca_not_in_root/);
      await nextRoot(2);
      await holdsOnly([one.pin, one.backup_pin]);

      const stolen = await serverIdentity(site);
      await site.endCentral('SIGTERM');
      const { hostname, port } = new URL(site.url());
      let asked = 0;
      const impostor = createServer({ cert: stolen.certPem, key: stolen.keyPem }, (_request, response) => {
        asked += 1;
        response.end();
      });
      impostor.listen(Number(port), hostname);
      await once(impostor, 'listening');
      await site.untilStatus(
        'it refuses whoever has the key of the first CA',
        (s) => s.blocking_reason?.code === 'tls_untrusted',
        PATIENCE_MS,
      );
      expect(asked).toBe(0);
      impostor.closeAllConnections();
      await new Promise((closed) => impostor.close(closed));
      await site.startCentral();
      await answeredAnew();

      expect((await shown()).left_behind_by_switch).toEqual([]);
      const two = await switchCa();
      expect([two.former_pin, two.pin]).toEqual([one.pin, one.backup_pin]);
      await servedAnew();
      await nextRoot(3);
      await holdsOnly([two.pin, two.backup_pin]);
      await answeredAnew();

      const { appliances } = (await site.central('appliance', 'list')) as { appliances: object[] };
      expect(appliances).toMatchObject([{ appliance_id: APPLIANCE, epoch: 1, state: 'confirmed' }]);
      const verified = await site.cli('evidence', 'verify', '--json', '--root-sha256', site.rootDigest());
      expect([verified.code, verified.output]).toEqual([0, verified.output]);
      const { code, output } = await site.cli('doctor', '--json');
      expect([code, output]).toEqual([0, output]);
    },
    DEADLINE_MS,
  );

  it(
    'goes on after a restart with what it holds',
    async () => {
      const held = heldPins(site.paths.state);
      await site.endAgent('SIGKILL');
      site.startAgent();
      await answeredAnew();
      expect(heldPins(site.paths.state)).toEqual(held);
      expect((await shown()).root_pins.toSorted()).toEqual(held.toSorted());
    },
    DEADLINE_MS,
  );
});
