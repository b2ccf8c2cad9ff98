//! What a person does with a connection outside of a run: a test, and the end of a quarantine.

use super::{Provisioner, quarantine};
use crate::state::store::StoreError;
use crate::state::{Learned, Quarantine, StateChange};
use crate::target::connection_test::ConnectionReport;

impl Provisioner {
    /// Tests the connection for a person, and forgets what was learned of the target's writes.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn test_connection(&self) -> Result<ConnectionReport, StoreError> {
        let _running = self.running.lock().await;
        self.begin_run("test-connection");
        let report = self.client().test().await;
        let mut connection = self.store.connection();
        connection.learned = Learned::default();
        connection.last_test = Some(self.test_record(&report));
        let entry = self.command_entry("test-connection", None, report.to_string());
        self.store.write(vec![StateChange::Connection(Box::new(connection)), entry]).await?;
        Ok(report)
    }

    /// Returns the quarantine of the connection, if it is in one.
    pub fn quarantine(&self) -> Option<Quarantine> {
        self.store.connection().quarantine
    }

    /// Ends the quarantine of the connection, and returns it; the next run is carried out at once.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn release(&self) -> Result<Option<Quarantine>, StoreError> {
        let _running = self.running.lock().await;
        let mut connection = self.store.connection();
        let quarantine = connection.quarantine.take();
        let mut changes = vec![StateChange::Connection(Box::new(connection))];
        changes.extend(quarantine.as_ref().map(|quarantine| {
            self.command_entry("release", None, format!("ended: {}", quarantine::describe(quarantine)))
        }));
        self.store.write(changes).await?;
        Ok(quarantine)
    }
}
