// Targets as Central Command sends them. For tests only.
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
