// Error codes of healing.
import { code } from '../code-info.ts';

export const HEALING_CODES = {
  rule_invalid: code(
    2,
    false,
    'a healing rule has mistakes; the message names each with its line',
    'correct the named lines (docs/formats/rules.md describes the file); other rules are not affected',
  ),
  incident_unknown: code(
    2,
    false,
    'there is no incident with this id',
    'list them with compliance-agent incidents list',
  ),
};
