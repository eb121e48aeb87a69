// SPDX-License-Identifier: Apache-2.0
//! JSON Schema by `jsonschema`, built without anything that could fetch: a `$ref` to elsewhere is an error.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Of one compiled pattern. Patterns run in linear time.
const PATTERN_BYTES: usize = 1 << 20;

fn build(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
        .build(schema)
        .map_err(|error| error.to_string())
}

fn needs_backtracking(pattern: &str) -> bool {
    let alone = serde_json::json!({ "pattern": pattern });
    let backtracking = PatternOptions::fancy_regex().size_limit(PATTERN_BYTES);
    build(&alone).is_err() && jsonschema::options().with_pattern_options(backtracking).build(&alone).is_ok()
}

/// A pattern that looks around itself (zod writes such a one for every e-mail address) is not run: a text can be made for it
/// that takes for ever. Whoever wrote the schema checks it, the rest of the schema is checked here, too.
fn leave_out_backtracking(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if matches!(members.get("pattern"), Some(Value::String(pattern)) if needs_backtracking(pattern)) {
                members.remove("pattern");
            }
            members.values_mut().for_each(leave_out_backtracking);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_backtracking),
        _ => {}
    }
}

pub struct Schema {
    validator: Validator,
}

impl Schema {
    pub fn compile(text: &str) -> Result<Schema, String> {
        let mut schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let validator = build(&schema).or_else(|_| {
            leave_out_backtracking(&mut schema);
            build(&schema)
        })?;
        Ok(Schema { validator })
    }

    /// The first thing that is wrong, without the values that were given.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let instance: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.validator.validate(&instance).map_err(|error| {
            let place = error.instance_path().to_string();
            let what = error.masked().to_string();
            if place.is_empty() { what } else { format!("{place}: {what}") }
        })
    }
}
