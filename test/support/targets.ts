// Targets as Central Command sends them. For tests only.
import type { Target } from '../../agent/targets/target.ts';
import type { UnplacedTarget } from '../../agent/wire/targets-frame.ts';

/** A workstation of the example clinic, reached over HTTPS with NTLM. */
export const wireTarget = (id: string, change: Partial<UnplacedTarget> = {}): UnplacedTarget => ({
  id,
  hostname: `${id}.clinic.example`,
  address: '192.0.2.10',
  port: 5986,
  scheme: 'https',
  auth: 'ntlm',
  principal: 'svc-compliance',
  domain: 'CLINIC',
  credential_id: 'clinic-svc',
  credential_version: 1,
  tls: { trust: 'spki', sha256: 'ab'.repeat(32) },
  role: 'workstation',
  ...change,
});

/** The same target with a secret, as the table holds it. */
export const heldTarget = (id: string, secret: string, change: Partial<Target> = {}): Target => {
  const { credential_id: credentialId, credential_version: credentialVersion, ...rest } = wireTarget(id);
  return { ...rest, credentialId, credentialVersion, secret: Buffer.from(secret), ...change };
};
