// Error codes of signatures and roles.
import { code } from '../code-info.ts';

export const SIGNATURES_CODES = {
  signature_invalid: code(
    4,
    false,
    'no acceptable signature of the required role',
    'have the document signed by the right key',
  ),
  threshold_not_met: code(
    4,
    false,
    'fewer distinct persons signed than the role requires',
    'collect the missing signatures',
  ),
  root_invalid: code(
    4,
    false,
    'a trust root contradicts itself or its predecessor',
    'create the root anew with central-command',
  ),
  root_version: code(
    4,
    false,
    'a trust root is not the direct successor of the pinned one',
    'supply every root in between',
  ),
};
