//! Orders on their way to the field: the intent is durable before the frame leaves, within a budget.
//!
//! A disk that is full, dead or stalled delays an order by the budget at most; the journal raises its own
//! alarm, and the order leaves anyway (S12).

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::field::Field;
use crate::field::budget::INTENT_MAX;
use crate::safety::fact::Order;
use crate::store::{Durable, Journal};

/// Passes orders on until the loop ends. Each on its own: none waits for another one's disk.
pub(super) async fn dispatch(mut orders: mpsc::Receiver<Order>, field: Arc<Field>, journal: Arc<Journal>) {
    while let Some(order) = orders.recv().await {
        let (field, journal) = (Arc::clone(&field), Arc::clone(&journal));
        tokio::spawn(async move {
            match journal.intent(&order, INTENT_MAX).await {
                Durable::Yes => {}
                outcome @ (Durable::Failed | Durable::TooLate) => {
                    tracing::error!(order = order.id.0, ?outcome, "order leaves without a durable intent");
                }
            }
            field.order(order);
        });
    }
}
