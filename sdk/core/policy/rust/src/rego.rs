// SPDX-License-Identifier: Apache-2.0
//! Rego modules compiled once; each evaluation works on a cheap copy of the engine.

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

/// Work units between two looks at the clock.
const CHECK_EVERY: NonZeroU32 = NonZeroU32::new(64).unwrap();

pub struct Rego {
    engine: Engine,
}

impl Rego {
    /// `modules`: `[{"name": "tools.rego", "text": "package ..."}]`. The error names file, line and column.
    pub fn compile(modules: &str, data: &str, limit: Duration) -> Result<Rego, String> {
        let modules: serde_json::Value = serde_json::from_str(modules).map_err(|e| e.to_string())?;
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_EVERY });
        for module in modules.as_array().ok_or("modules: must be a list")? {
            let field = |key: &str| module[key].as_str().ok_or(format!("modules: `{key}` is missing"));
            engine.add_policy(field("name")?.into(), field("text")?.into()).map_err(|e| e.to_string())?;
        }
        engine.add_data_json(data).map_err(|e| e.to_string())?;
        // Whatever is found only while the modules are put together is found now, not at the first request.
        engine.set_input(Value::new_object());
        let packages = engine.get_packages().map_err(|e| e.to_string())?;
        for package in packages {
            engine.eval_query(package.clone(), false).map_err(|e| format!("{package}: {e}"))?;
        }
        Ok(Rego { engine })
    }

    /// The value of a rule such as `data.aispm.tools.decision` as JSON; `null` where it is undefined.
    pub fn evaluate(&self, rule: &str, input: &str) -> Result<String, String> {
        let mut engine = self.engine.clone();
        engine.set_input_json(input).map_err(|e| e.to_string())?;
        let value = engine.eval_rule(rule.into()).map_err(|e| e.to_string())?;
        if value == Value::Undefined {
            return Ok("null".into());
        }
        value.to_json_str().map_err(|e| e.to_string())
    }

    pub fn packages(&self) -> Result<String, String> {
        Ok(json!(self.engine.get_packages().map_err(|e| e.to_string())?).to_string())
    }
}
