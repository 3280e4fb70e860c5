"""Simulated tables of kinds that nobody described, with the names that such files have."""

from __future__ import annotations

import numpy as np
import pandas as pd

ROWS = 400


def simulate(kind: str, rows: int = ROWS, seed: int = 5) -> pd.DataFrame:
    """Draw customers of a kind of table: who is large, active, new and price-conscious varies."""
    rng = np.random.default_rng(seed)

    def level(like: np.ndarray | float = 0.0, spread: float = 0.7) -> np.ndarray:
        return np.asarray(like + rng.normal(0, spread, rows))

    def money(typical: float, like: np.ndarray | float = 0.0, spread: float = 0.5) -> np.ndarray:
        return (typical * np.exp(level(like, spread))).round(2)

    def count(typical: float, like: np.ndarray | float = 0.0) -> np.ndarray:
        return rng.poisson(typical * np.exp(level(like, 0.3)))

    size, active = rng.normal(0, 0.8, rows), rng.normal(0, 0.7, rows)
    months = np.clip(rng.exponential(30, rows), 1, 72).round()
    kids = rng.choice([0, 0, 0, 1, 1, 2], rows)
    monthly = rng.choice([20.0, 50.0, 70.0, 95.0], rows) + rng.normal(0, 5, rows).round(2)
    who = {"Age": rng.integers(18, 80, rows), "Gender": rng.choice(["Female", "Male"], rows)}
    yes_no = rng.choice(["Yes", "No"], rows, p=[0.27, 0.73])
    minutes = {when: rng.normal(190, 50, rows).clip(0).round(1) for when in ("day", "eve", "intl")}
    earlier = np.where(rng.random(rows) < 0.8, 0, rng.poisson(3, rows))
    tables = {
        "telecom": {
            "customerID": [f"{i:04d}-QX" for i in range(rows)],
            "gender": who["Gender"],
            "Dependents": yes_no[::-1],
            "tenure": months.astype(int),
            "Contract": rng.choice(["Month-to-month", "One year", "Two year"], rows),
            "MonthlyCharges": monthly,
            "TotalCharges": (monthly * months).round(2),
            "Churn": yes_no,
        },
        "telecom calls": {
            "Customer ID": range(1, rows + 1),
            "Account length": rng.normal(100, 40, rows).clip(1).round().astype(int),
            **{f"Total {when} minutes": use for when, use in minutes.items()},
            **{f"Total {when} charge": (0.1 * use).round(2) for when, use in minutes.items()},
            "Total day calls": rng.poisson(100, rows),
            "Number vmail messages": np.where(rng.random(rows) < 0.7, 0, rng.poisson(29, rows)),
            "Customer service calls": rng.poisson(1.6, rows),
            "Churn": rng.random(rows) < 0.14,
        },
        "campaign": {
            "ID": rng.permutation(10_000)[:rows],
            "Year_Birth": 2014 - who["Age"],
            "Income": (money(50_000, 0.4 * size, 0.2)).round(),
            "Kidhome": kids,
            "Teenhome": rng.choice([0, 0, 1], rows),
            "Dt_Customer": [f"{1 + i % 28:02d}-{1 + i % 12:02d}-2013" for i in range(rows)],
            "Recency": rng.integers(0, 100, rows),
            "MntWines": money(170, size - 0.5 * kids, 0.8).round().astype(int),
            "MntFruits": money(9, size - kids, 1).round().astype(int),
            "MntMeatProducts": money(70, size - kids, 0.8).round().astype(int),
            "MntSweetProducts": money(9, size - kids, 1).round().astype(int),
            "NumDealsPurchases": count(1.5, 0.4 * kids),
            "NumWebPurchases": count(3.5, 0.5 * size),
            "NumCatalogPurchases": count(1.8, size),
            "NumStorePurchases": count(5, 0.4 * size),
            "NumWebVisitsMonth": count(5, -0.3 * size),
            "AcceptedCmp1": (rng.random(rows) < 0.07).astype(int),
            "Response": (rng.random(rows) < 0.15).astype(int),
        },
        "wholesale": {
            "Channel": 1 + (size > 0.5),
            "Region": rng.integers(1, 4, rows),
            "Fresh": money(8_000, -0.4 * size, 1).round().astype(int),
            "Milk": money(3_600, 0.8 * size, 0.6).round().astype(int),
            "Grocery": money(4_700, size, 0.4).round().astype(int),
            "Frozen": money(1_500, -0.4 * size, 1).round().astype(int),
            "Detergents_Paper": money(800, 1.6 * size, 0.7).round().astype(int),
            "Delicassen": money(900, 0.3 * size, 1).round().astype(int),
        },
        "loyalty": {
            "Loyalty Number": 100_000 + rng.permutation(rows),
            "Salary": money(75_000, 0.0, 0.3).round(),
            "CLV": money(5_800, size, 0.3),
            "Enrollment Year": rng.integers(2012, 2019, rows),
            "Total Flights": count(24, active),
            "Distance": money(30_000, active, 0.2).round(),
            "Points Accumulated": money(3_000, active, 0.2).round(),
            "Points Redeemed": np.where(rng.random(rows) < 0.5, 0, money(400, active)).round(),
        },
        "insurance": {
            "Customer": [f"QC{i:05d}" for i in range(rows)],
            "Customer Lifetime Value": money(5_700, 0.9 * size, 0.3),
            "Income": np.where(rng.random(rows) < 0.25, 0, money(45_000, 0, 0.4)).round(),
            "Monthly Premium Auto": money(85, 0.4 * size, 0.2).round().astype(int),
            "Months Since Last Claim": rng.integers(0, 36, rows),
            "Months Since Policy Inception": rng.integers(0, 100, rows),
            "Number of Open Complaints": rng.choice([0, 1, 2], rows, p=[0.8, 0.12, 0.08]),
            "Number of Policies": rng.choice([1, 2, 3, 6], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "Total Claim Amount": money(380, 0.5 * size, 0.6),
            "Response": yes_no,
        },
        "insurance plain": {
            "policy_no": [f"P{i:06d}" for i in range(rows)],
            "annual_premium": money(30_000, 0.4 * size, 0.4).round(),
            "n_claims": count(0.7, -0.8 * active),
            "tenure_years": rng.integers(0, 25, rows),
            "num_policies": rng.choice([1, 2, 3, 4], rows, p=[0.5, 0.25, 0.15, 0.1]),
        },
        "bank campaign": {
            "age": who["Age"],
            "job": rng.choice(["admin.", "services", "retired"], rows),
            "default": rng.choice(["no", "yes"], rows, p=[0.98, 0.02]),
            "balance": (money(600, size, 1) - 200).round().astype(int),
            "housing": yes_no,
            "duration": money(180, 0, 0.9).round().astype(int),
            "campaign": 1 + rng.poisson(1.6 * rng.gamma(1, 1, rows)),
            "pdays": np.where(earlier == 0, -1, rng.integers(1, 400, rows)),
            "previous": earlier,
            "y": yes_no,
        },
        "bank churn": {
            "RowNumber": range(1, rows + 1),
            "CustomerId": 15_500_000 + rng.permutation(rows),
            "Surname": [f"Name{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(rows)],
            "CreditScore": rng.normal(650, 95, rows).round().clip(350, 850).astype(int),
            "Geography": rng.choice(["France", "Spain", "Germany"], rows),
            "Age": who["Age"],
            "Tenure": rng.integers(0, 11, rows),
            "Balance": np.where(
                rng.random(rows) < 0.36, 0, rng.normal(120_000, 3e4, rows).round(2)
            ),
            "NumOfProducts": rng.choice([1, 2, 3], rows, p=[0.5, 0.46, 0.04]),
            "IsActiveMember": rng.integers(0, 2, rows),
            "EstimatedSalary": rng.uniform(1e3, 2e5, rows).round(2),
            "Exited": (yes_no == "Yes").astype(int),
        },
        "shop churn": {
            "CustomerID": range(50_001, 50_001 + rows),
            "Tenure": months.astype(int),
            "WarehouseToHome": rng.integers(5, 36, rows),
            "HourSpendOnApp": rng.integers(1, 5, rows),
            "NumberOfDeviceRegistered": rng.integers(1, 6, rows),
            "SatisfactionScore": rng.integers(1, 6, rows),
            "Complain": rng.integers(0, 2, rows),
            "OrderAmountHikeFromlastYear": rng.integers(11, 26, rows),
            "CouponUsed": count(1.5, active),
            "OrderCount": 1 + count(2, active),
            "DaySinceLastOrder": count(4, -0.5 * active),
            "CashbackAmount": money(160, 0.3 * active, 0.15).round(),
            "Churn": (yes_no == "Yes").astype(int),
        },
        "shop": {
            "Customer ID": range(101, 101 + rows),
            "Gender": who["Gender"],
            "Total Spend": money(800, size, 0.2),
            "Items Purchased": 1 + count(11, 0.7 * size),
            "Average Rating": rng.uniform(3, 5, rows).round(1),
            "Discount Applied": rng.random(rows) < 0.5,
            "Days Since Last Purchase": (1 + count(26, -0.5 * active)),
        },
        "fashion": {
            "kunde": [f"K{i:05d}" for i in range(rows)],
            "orders_12m": 1 + count(3, active),
            "avg_order_value": money(75, size, 0.3),
            "return_rate": rng.beta(1, 4, rows).round(3),
            "discount_share": rng.beta(1.2, 3, rows).round(3),
            "last_order_days_ago": money(60, -active, 0.6).round().astype(int),
            "newsletter_clicks": count(4, 0.6 * active),
        },
        "loans": {
            "client_no": 7_000 + rng.permutation(rows),
            "credit_limit": money(9_000, 0.5 * size, 0.4).round(),
            "utilization": rng.beta(1, 2, rows).round(3),
            "days_past_due": np.where(rng.random(rows) < 0.6, 0, count(12, size)),
            "months_on_book": rng.integers(6, 60, rows),
            "cash_advances": np.where(rng.random(rows) < 0.5, 0, money(900, size)),
        },
        "two columns": {
            "cust": [f"C{i:04d}" for i in range(rows)],
            "revenue": money(900, size, 0.3),
            "visits": 1 + count(6, active),
        },
    }
    return pd.DataFrame(tables[kind])


KINDS = (
    "telecom,telecom calls,campaign,wholesale,loyalty,insurance,insurance plain,bank campaign,"
    "bank churn,shop churn,shop,fashion,loans,two columns"
).split(",")
