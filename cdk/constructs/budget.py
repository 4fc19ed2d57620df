"""A monthly budget of the account, which alarms at no cost (two are free; AWS Budgets pricing, read 2026-11)."""

from __future__ import annotations

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from cdk.settings import StackSettings

_MAIL_AT_PERCENT = (80, 100)


class Budget(Construct):
    """Sends a mail to ``alert_email`` when the month's bill nears ``budget_usd``.

    Without one of the two there is no budget.
    """

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        if not settings.budget_usd or not settings.alert_email:
            return
        reader = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=settings.alert_email)
        recipients = [
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type="ACTUAL",
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[reader],
            )
            for percent in _MAIL_AT_PERCENT
        ]
        budgets.CfnBudget(
            self,
            "Month",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{settings.stack_name}-month",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=settings.budget_usd, unit="USD"),
            ),
            notifications_with_subscribers=recipients,
        )
