"""The entities of the CRM: which tables there are, what their columns mean, and which store holds each.

Keys, money, status and times are in MySQL; documents hold what has no fixed form, and no references to other rows. In
the description of a class, ``[]`` after a document column is a list and ``{}`` an object. A column that ends in ``_id``
holds the ``id`` of a row of the entity it names; owner, actor, author, applicant, approver, assignee and manager are
operators.
"""

from crm_model.entities.customers import Approval, BillingCustomer, Contact, Customer, VipCard
from crm_model.entities.goods import Gift, GiftStock, Product, StockMove
from crm_model.entities.sales import Campaign, Opportunity, OrderItem, SalesLead, SalesOrder
from crm_model.entities.service import Activity, Feedback, KbArticle, Task, Ticket
from crm_model.entities.staff import AuditLog, Operator
from crm_model.model import Entity, Record

__all__ = [
    "ENTITIES",
    "MODELS",
    "Activity",
    "Approval",
    "AuditLog",
    "BillingCustomer",
    "Campaign",
    "Contact",
    "Customer",
    "Feedback",
    "Gift",
    "GiftStock",
    "KbArticle",
    "Operator",
    "Opportunity",
    "OrderItem",
    "Product",
    "SalesLead",
    "SalesOrder",
    "StockMove",
    "Task",
    "Ticket",
    "VipCard",
]

MODELS: tuple[type[Record], ...] = (
    Operator,
    Customer,
    Contact,
    BillingCustomer,
    VipCard,
    Approval,
    Activity,
    Feedback,
    Task,
    Opportunity,
    SalesOrder,
    AuditLog,
    SalesLead,
    Product,
    OrderItem,
    Campaign,
    Ticket,
    KbArticle,
    Gift,
    StockMove,
    GiftStock,
)
"""In an order in which each comes after those that its own columns refer to, but for a customer's or operator's own."""

ENTITIES: tuple[Entity, ...] = tuple(model.declaration for model in MODELS)
