// Error codes of checks.
import { code } from '../code-info.ts';

export const CHECKS_CODES = {
  baseline_invalid: code(
    2,
    false,
    'a baseline has mistakes; the message names each with its line',
    'correct the named lines (docs/checks.md describes the file)',
  ),
  control_map_invalid: code(
    2,
    false,
    'a control map has mistakes; the message names each with its line',
    'correct the named lines (docs/checks.md describes the file)',
  ),
};
