// SPDX-License-Identifier: Apache-2.0
//! Rego modules compiled once. What packages decide runs on a register machine, all else in the interpreter.

use crate::machine::Machine;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// Work units between two looks at the clock.
const CHECK_EVERY: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// The rule of a package that is asked on requests.
const ENTRY: &str = "decision";

pub struct Rego {
    engine: Engine,
    machines: BTreeMap<String, Machine>,
    /// Entry points that the interpreter evaluates, and why.
    interpreted: BTreeMap<String, String>,
}

impl Rego {
    /// `modules`: `[{"name": "tools.rego", "text": "package ..."}]`. The error names file, line and column.
    pub fn compile(modules: &str, data: &str, limit: Duration) -> Result<Rego, String> {
        let modules: serde_json::Value = serde_json::from_str(modules).map_err(|e| e.to_string())?;
        let timer = ExecutionTimerConfig { limit, check_interval: CHECK_EVERY };
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(timer);
        for module in modules.as_array().ok_or("modules: must be a list")? {
            let field = |key: &str| module[key].as_str().ok_or(format!("modules: `{key}` is missing"));
            engine.add_policy(field("name")?.into(), field("text")?.into()).map_err(|e| e.to_string())?;
        }
        engine.add_data_json(data).map_err(|e| e.to_string())?;
        // Whatever is found only while the modules are put together is found now, not at the first request.
        engine.set_input(Value::new_object());
        let packages = engine.get_packages().map_err(|e| e.to_string())?;
        for package in &packages {
            engine.eval_query(package.clone(), false).map_err(|e| format!("{package}: {e}"))?;
        }
        let mut rego = Rego { engine, machines: BTreeMap::new(), interpreted: BTreeMap::new() };
        for package in packages {
            rego.add_machine(format!("{package}.{ENTRY}"), timer);
        }
        Ok(rego)
    }

    /// The value of a rule such as `data.aispm.tools.decision` as JSON; `null` where it is undefined.
    pub fn evaluate(&self, rule: &str, input: &str) -> Result<String, String> {
        let input = Value::from_json_str(input).map_err(|e| e.to_string())?;
        let value = match self.machines.get(rule) {
            Some(machine) => machine.evaluate(input)?,
            None => self.interpret(rule, input)?,
        };
        if value == Value::Undefined {
            return Ok("null".into());
        }
        value.to_json_str().map_err(|e| e.to_string())
    }

    pub fn packages(&self) -> Result<String, String> {
        Ok(json!(self.engine.get_packages().map_err(|e| e.to_string())?).to_string())
    }

    /// `{"data.aispm.x.decision": "why the machine cannot run it"}`
    pub fn interpreted(&self) -> String {
        json!(self.interpreted).to_string()
    }

    fn interpret(&self, rule: &str, input: Value) -> Result<Value, String> {
        let mut engine = self.engine.clone();
        engine.set_input(input);
        engine.eval_rule(rule.into()).map_err(|e| e.to_string())
    }

    /// Without effect where the package has no such rule.
    fn add_machine(&mut self, rule: String, timer: ExecutionTimerConfig) {
        let Ok(expected) = self.interpret(&rule, Value::new_object()) else {
            return;
        };
        match self.try_machine(&rule, timer, &expected) {
            Ok(machine) => {
                self.machines.insert(rule, machine);
            }
            Err(why) => {
                self.interpreted.insert(rule, why);
            }
        }
    }

    fn try_machine(&self, rule: &str, timer: ExecutionTimerConfig, expected: &Value) -> Result<Machine, String> {
        let mut engine = self.engine.clone();
        let policy = engine.compile_with_entrypoint(&rule.into()).map_err(|e| e.to_string())?;
        let machine = Machine::compile(&policy, rule, engine.get_data(), timer)?;
        // Two ways that should agree are held against each other where that costs nothing.
        match machine.evaluate(Value::new_object())? == *expected {
            true => Ok(machine),
            false => Err("machine and interpreter differ about an empty input".into()),
        }
    }
}
