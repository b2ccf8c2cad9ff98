//! The bound on the cost of an expression: the interpreter itself has none, neither of time nor of memory.
//!
//! Before the evaluation, an expression is rewritten so that a meter counts its iterations and the texts that it creates.
//! An evaluation that uses up its allowance fails for every input.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, ListExpr, MapEntryExpr, MapExpr,
    SelectExpr, operators,
};
use cel::{Context, ExecutionError, Value};

/// The longest expression, in bytes.
pub(super) const LONGEST: usize = 4096;
/// The maximum depth of an expression.
const DEEPEST: usize = 128;
/// The allowance of one evaluation: a unit for each byte of a created text, [`STEP`] for each iteration of a
/// comprehension.
const ALLOWANCE: usize = 1_000_000;
/// The units of one turn.
const STEP: usize = 10;
/// The longest text that is put between or in the place of others: it may be repeated as often as the text has letters.
const REPEATED: usize = 128;

/// Functions that no author can call: their names are no identifiers.
const METER: &str = "@meter";
const METER_RANGE: &str = "@meter_range";
const SHORT: &str = "@short";

/// Functions whose results are texts or lists of a size that depends on the data.
const MAKERS: [&str; 11] = [
    operators::ADD,
    "replace",
    "join",
    "format",
    "split",
    "lowerAscii",
    "upperAscii",
    "reverse",
    "trim",
    "string",
    "strings.quote",
];

/// Whether `expression` nests deeper than is allowed.
pub(super) fn is_too_deep(expression: &IdedExpr) -> bool {
    fn deeper(expression: &IdedExpr, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return true };
        let within = |expression: &IdedExpr| deeper(expression, left);
        match &expression.expr {
            Expr::Call(call) => {
                call.target.iter().any(|target| within(target)) || call.args.iter().any(within)
            }
            Expr::Comprehension(comprehension) => parts(comprehension).into_iter().any(within),
            Expr::List(list) => list.elements.iter().any(within),
            Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => within(&entry.key) || within(&entry.value),
                EntryExpr::StructField(field) => within(&field.value),
            }),
            Expr::Select(select) => within(&select.operand),
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
        }
    }
    deeper(expression, DEEPEST)
}

fn parts(comprehension: &ComprehensionExpr) -> [&IdedExpr; 5] {
    let ComprehensionExpr { iter_range, accu_init, loop_cond, loop_step, result, .. } = comprehension;
    [iter_range, accu_init, loop_cond, loop_step, result]
}

/// Gives `context` the functions that a metered expression calls, with a fresh allowance.
pub(super) fn allow(context: &mut Context<'_, '_>) {
    let left = std::sync::Arc::new(AtomicUsize::new(ALLOWANCE));
    let spend = move |units: usize| {
        let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(units));
        spent.map(drop).map_err(|_| ExecutionError::function_error(METER, "the allowance is used up"))
    };
    let spend_on_range = spend.clone();
    // None of the names is declared already, so none of these fails.
    let _ = context.add_function(METER, move |value: Value| -> Result<Value, ExecutionError> {
        spend(size(&value)).map(|()| value)
    });
    let _ = context.add_function(METER_RANGE, move |value: Value| -> Result<Value, ExecutionError> {
        spend_on_range(size(&value).saturating_mul(STEP)).map(|()| value)
    });
    let _ = context.add_function(SHORT, |value: Value| -> Result<Value, ExecutionError> {
        if size(&value) > REPEATED {
            return Err(ExecutionError::function_error(METER, "too long"));
        }
        Ok(value)
    });
}

/// Whether an evaluation failed because of its cost.
pub(super) fn is_exhausted(error: &ExecutionError) -> bool {
    matches!(error, ExecutionError::FunctionError { function, .. } if function == METER)
}

/// The limits that an expression has exceeded, in words.
pub(super) struct TooCostly;

impl fmt::Display for TooCostly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it takes too many steps or makes too long texts: at most {} list elements and {ALLOWANCE} letters are allowed, and \
             {REPEATED} letters in what `replace` and `join` insert",
            ALLOWANCE / STEP
        )
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.map.len(),
        _ => 1,
    }
}

/// Returns the expression with a meter, which spends its allowance during the evaluation.
pub(super) fn metered(expression: &IdedExpr) -> IdedExpr {
    let same = |expr| IdedExpr { id: expression.id, expr };
    match &expression.expr {
        Expr::Call(call) => {
            let rewritten = same(Expr::Call(metered_call(call)));
            if MAKERS.contains(&call.func_name.as_str()) { through(METER, rewritten) } else { rewritten }
        }
        Expr::Comprehension(comprehension) => same(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: through(METER_RANGE, metered(&comprehension.iter_range)),
            accu_init: metered(&comprehension.accu_init),
            loop_cond: metered(&comprehension.loop_cond),
            loop_step: metered_step(&comprehension.loop_step, &comprehension.accu_var),
            result: metered(&comprehension.result),
            ..(**comprehension).clone()
        }))),
        Expr::List(list) => same(Expr::List(ListExpr {
            elements: list.elements.iter().map(metered).collect(),
            ..list.clone()
        })),
        Expr::Map(map) => same(Expr::Map(MapExpr {
            entries: map
                .entries
                .iter()
                .map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(member) => IdedEntryExpr {
                        expr: EntryExpr::MapEntry(MapEntryExpr {
                            key: metered(&member.key),
                            value: metered(&member.value),
                            optional: member.optional,
                        }),
                        ..entry.clone()
                    },
                    EntryExpr::StructField(_) => entry.clone(),
                })
                .collect(),
        })),
        Expr::Select(select) => {
            same(Expr::Select(SelectExpr { operand: Box::new(metered(&select.operand)), ..select.clone() }))
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => expression.clone(),
    }
}

fn metered_call(call: &CallExpr) -> CallExpr {
    let repeated = match call.func_name.as_str() {
        "replace" => Some(1),
        "join" => Some(0),
        _ => None,
    };
    let argument = |(index, argument)| {
        let argument = metered(argument);
        if repeated == Some(index) { through(SHORT, argument) } else { argument }
    };
    CallExpr {
        func_name: call.func_name.clone(),
        target: call.target.as_ref().map(|target| Box::new(metered(target))),
        args: call.args.iter().enumerate().map(argument).collect(),
    }
}

/// Returns the metered step of a comprehension. A step that adds to a list keeps its form, by which the interpreter
/// avoids a copy of the list.
fn metered_step(step: &IdedExpr, accumulated: &str) -> IdedExpr {
    let is_accumulated =
        |expression: &IdedExpr| matches!(&expression.expr, Expr::Ident(name) if name == accumulated);
    let Expr::Call(call) = &step.expr else { return metered(step) };
    let args = match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::ADD, [list, added]) if is_accumulated(list) => match &added.expr {
            Expr::List(items) => {
                let elements = items.elements.iter().map(|item| through(METER, metered(item))).collect();
                let items = Expr::List(ListExpr { elements, ..items.clone() });
                vec![list.clone(), IdedExpr { id: added.id, expr: items }]
            }
            _ => return metered(step),
        },
        (operators::CONDITIONAL, [guard, step, otherwise]) if is_accumulated(otherwise) => {
            vec![metered(guard), metered_step(step, accumulated), otherwise.clone()]
        }
        _ => return metered(step),
    };
    IdedExpr { id: step.id, expr: Expr::Call(CallExpr { args, ..call.clone() }) }
}

fn through(function: &str, argument: IdedExpr) -> IdedExpr {
    let id = argument.id;
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![argument] };
    IdedExpr { id, expr: Expr::Call(call) }
}
