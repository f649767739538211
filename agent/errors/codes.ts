// The closed list of error codes, each in the file of its room. A code never changes its meaning; docs/errors.md is generated
// from this table.
import { code } from './code-info.ts';
import { CENTRAL_CODES } from './codes/central.ts';
import { CHECKS_CODES } from './codes/checks.ts';
import { CLI_CODES } from './codes/cli.ts';
import { CONFIG_CODES } from './codes/config.ts';
import { DAEMON_CODES } from './codes/daemon.ts';
import { EGRESS_CODES } from './codes/egress.ts';
import { DOCTOR_CODES } from './codes/doctor.ts';
import { EVIDENCE_CODES } from './codes/evidence.ts';
import { EXECUTION_CODES } from './codes/execution.ts';
import { HEALING_CODES } from './codes/healing.ts';
import { HELPERS_CODES } from './codes/helpers.ts';
import { HTTPS_CODES } from './codes/https.ts';
import { IDENTITY_CODES } from './codes/identity.ts';
import { INSTALLER_CODES } from './codes/installer.ts';
import { ORDER_GUARDS_CODES } from './codes/order-guards.ts';
import { OUTPUTS_CODES } from './codes/outputs.ts';
import { SIGNATURES_CODES } from './codes/signatures.ts';
import { STORE_CODES } from './codes/store.ts';
import { SYSTEM_CODES } from './codes/system.ts';
import { TARGETS_CODES } from './codes/targets.ts';
import { TRUST_CODES } from './codes/trust.ts';
import { UPLINK_CODES } from './codes/uplink.ts';
import { VERIFY_CODES } from './codes/verify.ts';
import { WINRM_CODES } from './codes/winrm.ts';
import { WIRE_CODES } from './codes/wire.ts';

export const CODES = {
  ...WIRE_CODES,
  ...SIGNATURES_CODES,
  ...VERIFY_CODES,
  ...DAEMON_CODES,
  ...HTTPS_CODES,
  ...IDENTITY_CODES,
  ...UPLINK_CODES,
  ...TARGETS_CODES,
  ...CENTRAL_CODES,
  ...SYSTEM_CODES,
  ...CONFIG_CODES,
  ...TRUST_CODES,
  ...ORDER_GUARDS_CODES,
  ...STORE_CODES,
  ...EVIDENCE_CODES,
  ...HELPERS_CODES,
  ...EGRESS_CODES,
  ...CLI_CODES,
  ...DOCTOR_CODES,
  ...CHECKS_CODES,
  ...EXECUTION_CODES,
  ...OUTPUTS_CODES,
  ...WINRM_CODES,
  ...HEALING_CODES,
  ...INSTALLER_CODES,
  internal: code(1, false, 'a defect of this program', 'report it with the log lines around it'),
};

export type ErrorCode = keyof typeof CODES;
