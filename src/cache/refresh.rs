//! What hits leave to be done in the background: renewing the lease, and looking for changes that nobody announced.

use crate::cache::context::Context;
use crate::cache::entry::CachedEntry;
use std::sync::Arc;

impl Context {
    /// Inside a tokio runtime only.
    pub(super) fn tend(self: &Arc<Self>, entry: &Arc<CachedEntry>, renew: bool, refresh: bool) {
        if renew {
            self.listen();
            let context = self.clone();
            self.beside(async move { context.validate(Vec::new()).await.map(drop) });
        }
        if refresh {
            tokio::spawn(self.load_of(entry).refresh());
        }
    }
}
