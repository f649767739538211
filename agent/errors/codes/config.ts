// Error codes of the configuration.
import { code } from '../code-info.ts';

export const CONFIG_CODES = {
  config_not_found: code(
    2,
    false,
    'there is no configuration file',
    'write one (docs/configuration.md) or name it with --config',
  ),
  config_unreadable: code(
    2,
    false,
    'the configuration file cannot be read',
    'make it a plain UTF-8 file that the agent may read',
  ),
  config_invalid: code(2, false, 'the configuration holds mistakes', 'correct each named line'),
  config_syntax: code(
    2,
    false,
    'the configuration is not plain YAML',
    'write `key: value` lines without anchors, aliases and tags',
  ),
  config_key_unknown: code(2, false, 'the configuration has a key that does not exist', 'correct or remove the line'),
  config_key_duplicate: code(2, false, 'the configuration sets a key twice', 'keep one of the two lines'),
  config_key_missing: code(2, false, 'the configuration lacks a required key', 'add it'),
  config_value_invalid: code(
    2,
    false,
    'a value in the configuration has a wrong type or is out of range',
    'correct the value',
  ),
  config_path_relative: code(
    2,
    false,
    'a path in the configuration is relative',
    'write the whole path, starting with /',
  ),
  config_time_zone_unknown: code(
    2,
    false,
    'a time zone in the configuration does not exist',
    'use a name such as Europe/Vienna or UTC',
  ),
  reseller_id_missing: code(
    2,
    false,
    'mode is reseller and reseller_id is absent',
    'add `reseller_id: <id of the partner>` or set `mode: direct`',
  ),
};
