//! What people ask for, done between two source transactions and committed before it is answered.

use tokio::time::{Duration, timeout};

use super::Delivery;
use crate::{
    error::Failure,
    map::Filter,
    model::table::TableName,
    mysql::{self, MysqlError},
    orders::{Answer, Order, Refusal},
    pipeline::protocol::Event,
    snapshot::{self, Listed},
};

/// How long the source may take to say which tables it has. The stream waits for it.
const LOOK_UP_MAX: Duration = Duration::from_secs(5);

impl Delivery {
    /// Does what people have asked for since the last border.
    pub(super) fn obey(&mut self) -> Result<(), Failure> {
        while let Some(asked) = self.orders.take() {
            // No Kafka transaction is open while the source is asked.
            self.after(Event::Due)?;
            let answer = self.order(asked.order);
            if answer.is_ok() {
                self.after(Event::Changed)?;
                self.after(Event::Due)?;
                self.show_tables();
            }
            // Whoever asked may have given up.
            drop(asked.answer.send(answer));
        }
        Ok(())
    }

    fn order(&mut self, order: Order) -> Answer {
        match order {
            Order::Read { tables, filter } => self.read_again(tables, filter.as_deref()),
            Order::Pause(tables) => self.snapshot.pause(tables, true),
            Order::Resume(tables) => self.snapshot.pause(tables, false),
            Order::Cancel(tables) => self.snapshot.cancel(tables),
        }
    }

    fn read_again(&mut self, tables: Vec<TableName>, filter: Option<&str>) -> Answer {
        let captured = Filter::new(&self.config.capture);
        if let Some(table) = tables.iter().find(|table| !captured.captures(table)) {
            return Err(Refusal::NotCaptured(table.clone()));
        }
        if let Some(table) = tables.iter().find(|table| self.snapshot.is_read(table)) {
            return Err(Refusal::BeingRead(table.clone()));
        }
        let listed = self.look_up(&tables)?;
        if let Some(table) = tables.iter().find(|it| !listed.iter().any(|one| one.name == **it)) {
            return Err(Refusal::Unknown(table.clone()));
        }
        for table in listed {
            self.snapshot.read_again(table, filter.map(str::to_owned));
        }
        Ok(tables)
    }

    /// Which of these tables the source has, and how large they are.
    fn look_up(&self, tables: &[TableName]) -> Result<Vec<Listed>, Refusal> {
        let config = &self.config;
        let look_up = async {
            let mut connection = mysql::connect(&config.mysql).await?;
            snapshot::list(&mut connection, config, |table| tables.contains(table), |_| true).await
        };
        let listed = self.plans.block_on(async { timeout(LOOK_UP_MAX, look_up).await });
        match listed {
            Ok(Ok(listed)) => Ok(listed),
            Ok(Err(error)) => Err(Refusal::Source(MysqlError::to_string(&error))),
            Err(_) => Err(Refusal::Source(format!("it took over {} s", LOOK_UP_MAX.as_secs()))),
        }
    }
}
