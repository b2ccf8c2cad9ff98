//! The attributes of the user that an expression names.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};

/// Selections that are calls: `a['b']`, `a[?'b']`, `a.?b`.
const SELECTIONS: [&str; 3] = [operators::INDEX, operators::OPT_INDEX, operators::OPT_SELECT];

/// Adds the dotted path of every attribute that `expression` selects from `root`, which is `user` or `group`.
pub(super) fn collect(expression: &IdedExpr, from: &str, found: &mut BTreeSet<String>) {
    let mut names = Vec::new();
    let root = chain(&expression.expr, &mut names);
    if let Expr::Ident(name) = root {
        if name == from && !names.is_empty() {
            names.reverse();
            found.insert(names.join("."));
        }
        return;
    }
    match root {
        Expr::Call(call) => {
            call.target.iter().for_each(|target| collect(target, from, found));
            call.args.iter().for_each(|argument| collect(argument, from, found));
        }
        Expr::Comprehension(comprehension) => {
            // The root's name in it is the variable of the comprehension, where that is called so.
            for part in [
                &comprehension.iter_range,
                &comprehension.accu_init,
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ] {
                collect(part, from, found);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, from, found)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| collect_entry(&entry.expr, from, found)),
        Expr::Struct(structure) => {
            structure.entries.iter().for_each(|entry| collect_entry(&entry.expr, from, found));
        }
        // `chain` follows selections to their start.
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Select(_) => {}
    }
}

fn collect_entry(entry: &EntryExpr, from: &str, found: &mut BTreeSet<String>) {
    match entry {
        EntryExpr::StructField(field) => collect(&field.value, from, found),
        EntryExpr::MapEntry(entry) => {
            collect(&entry.key, from, found);
            collect(&entry.value, from, found);
        }
    }
}

/// Follows selections, by name or by a text in brackets, to what they start from; the names, last one first.
fn chain<'a>(mut expression: &'a Expr, names: &mut Vec<&'a str>) -> &'a Expr {
    loop {
        match expression {
            Expr::Select(select) => {
                names.push(&select.field);
                expression = &select.operand.expr;
            }
            Expr::Call(call) if SELECTIONS.contains(&call.func_name.as_str()) => match call.args.as_slice() {
                [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => {
                    names.push(name.inner());
                    expression = &of.expr;
                }
                _ => return expression,
            },
            _ => return expression,
        }
    }
}
