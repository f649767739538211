// Targets in answers that must not be taken. The answers themselves are honest and signed; what is sealed in them is not.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { freshHpkeKey, sealHpke } from '../../agent/wire/hpke.ts';
import { encodeTargetsFrame, TARGETS_INFO, targetsAad } from '../../agent/wire/targets-frame.ts';
import { addTarget, setTargetSecret } from '../../central/service/targets.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import type { Distortion } from '../../tools/demo/lying-central.ts';
import { wireTarget } from '../support/targets.ts';
import { openAnswer, resigned } from './answer-attacks.ts';
import type { AttackedSite } from './attacked-site.ts';

export interface TargetAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  /** The cause of the alert `targets_not_accepted`. */
  readonly code: ErrorCode;
  readonly distortion: (attacked: AttackedSite) => Distortion;
}

/** A message that opens for whoever has the key: sealed once, before the answer that it comes in is made. */
const elsewhere = await (async (): Promise<string> => {
  const frame = encodeTargetsFrame(4_000_000_000, [{ target: wireTarget('pc-9'), secret: Buffer.from('secret') }]);
  const context = { info: TARGETS_INFO, aad: targetsAad('00'.repeat(32), 4_000_000_000) };
  return (await sealHpke(freshHpkeKey().publicKey, frame, context)).toString('base64');
})();

/** From now on Central Command has one more target for the appliance, and seals all of them anew. */
function oneMore({ central: { central } }: AttackedSite, id: string): void {
  const person = 'attacker';
  const secret = Buffer.from(`secret of ${id}`);
  setTargetSecret(central, { siteId: SITE, credentialId: id, principal: 'svc', domain: 'CLINIC', secret, person });
  const { principal: _p, domain: _d, credential_id: _c, credential_version: _v, ...fields } = wireTarget(id);
  addTarget(central, { applianceId: APPLIANCE, credentialId: id, fields, person });
}

const blobOf = (honest: string): string | null => {
  const answer = JSON.parse(openAnswer(honest).payload.toString('utf8')) as { targets?: { hpke: string } };
  return answer.targets?.hpke ?? null;
};

export const TARGET_ATTACKS: readonly TargetAttack[] = [
  {
    what: 'targets sealed to the key of another appliance',
    code: 'hpke_unreadable',
    distortion: (a) => (honest) => resigned(a, honest, { targets: { hpke: elsewhere } }),
  },
  {
    what: 'targets of an earlier answer',
    code: 'hpke_unreadable',
    distortion: (a) => {
      oneMore(a, 'pc-earlier');
      let recorded: string | null = null;
      return (honest) => {
        const before = recorded;
        recorded ??= blobOf(honest);
        return before === null ? honest : resigned(a, honest, { targets: { hpke: before } });
      };
    },
  },
  {
    what: 'targets in an answer of another expiry than they are bound to',
    code: 'hpke_unreadable',
    distortion: (a) => {
      oneMore(a, 'pc-later');
      return (honest) => {
        if (blobOf(honest) === null) return honest;
        const { expires_at: expires } = JSON.parse(openAnswer(honest).payload.toString('utf8')) as {
          expires_at: number;
        };
        return resigned(a, honest, { expires_at: expires - 1 });
      };
    },
  },
  {
    what: 'targets with one bit changed',
    code: 'hpke_unreadable',
    distortion: (a) => {
      oneMore(a, 'pc-changed');
      return (honest) => {
        const blob = blobOf(honest);
        if (blob === null) return honest;
        const bytes = Buffer.from(blob, 'base64');
        bytes[40]! ^= 1;
        return resigned(a, honest, { targets: { hpke: bytes.toString('base64') } });
      };
    },
  },
];
