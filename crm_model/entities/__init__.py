"""The entities of the CRM: which tables there are, what their columns mean, and which store holds each.

Keys, money, status and times are in MySQL; documents hold what has no fixed form, and no references to other rows. In
``about``, ``[]`` after a document column is a list and ``{}`` an object. A column that ends in ``_id`` holds the ``id``
of a row of the entity it names; owner, actor, author, applicant, approver, assignee and manager are operators.
"""

from crm_model.entities.customers import APPROVAL, BILLING_CUSTOMER, CONTACT, CUSTOMER, VIP_CARD
from crm_model.entities.goods import GIFT, PRODUCT, STOCK_MOVE
from crm_model.entities.sales import CAMPAIGN, OPPORTUNITY, ORDER_ITEM, SALES_LEAD, SALES_ORDER
from crm_model.entities.service import ACTIVITY, FEEDBACK, KB_ARTICLE, TASK, TICKET
from crm_model.entities.staff import AUDIT_LOG, OPERATOR
from crm_model.entity import Entity

ENTITIES: tuple[Entity, ...] = (
    OPERATOR,
    CUSTOMER,
    CONTACT,
    BILLING_CUSTOMER,
    VIP_CARD,
    APPROVAL,
    ACTIVITY,
    FEEDBACK,
    TASK,
    OPPORTUNITY,
    SALES_ORDER,
    AUDIT_LOG,
    SALES_LEAD,
    PRODUCT,
    ORDER_ITEM,
    CAMPAIGN,
    TICKET,
    KB_ARTICLE,
    GIFT,
    STOCK_MOVE,
)
"""In an order in which each comes after those that its own columns refer to, but for a customer's or operator's own."""
