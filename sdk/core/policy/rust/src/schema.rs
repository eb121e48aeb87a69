// SPDX-License-Identifier: Apache-2.0
//! JSON Schema by `jsonschema`, built without anything that could fetch: a `$ref` to elsewhere is an error.

use jsonschema::{PatternOptions, Validator};

/// Of one compiled pattern. Patterns run in linear time; what needs backtracking is refused.
const PATTERN_BYTES: usize = 1 << 20;

pub struct Schema {
    validator: Validator,
}

impl Schema {
    pub fn compile(text: &str) -> Result<Schema, String> {
        let schema: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .build(&schema)
            .map_err(|error| error.to_string())?;
        Ok(Schema { validator })
    }

    /// The first thing that is wrong, without the values that were given.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let instance: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.validator.validate(&instance).map_err(|error| {
            let place = error.instance_path().to_string();
            let what = error.masked().to_string();
            if place.is_empty() { what } else { format!("{place}: {what}") }
        })
    }
}
