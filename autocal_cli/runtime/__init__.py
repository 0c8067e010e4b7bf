"""What a trainer imports. Needs torch and the standard library only, whatever else is installed."""

from autocal_cli.runtime.attach import Attachment, attach, create_dynamic_loss_scheduler
from autocal_cli.runtime.scheduler import DynamicLossScheduler
from autocal_cli.runtime.settings import SchedulerSettings

__all__ = ["Attachment", "DynamicLossScheduler", "SchedulerSettings", "attach", "create_dynamic_loss_scheduler"]
